"""Messages from flags, from a pipe, and from a prompt: three ways into the same conversation."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from rich.text import Text

from common.errors import UserError
from console import interrupts
from console.chatting import commands
from console.chatting.talk import Talk
from console.terminal import AGAIN, complain, lines, opened, printable

_CUT = 65_536
"""A line of a pipe that is so long has been cut."""

Do = Callable[[str], object]
"""What is done with a line; True leaves the program."""


def asked(talk: Talk, messages: Sequence[str]) -> int:
    """Answer messages, one after the other. Returns the exit code."""
    return _all(talk, ((talk.answer, text) for text in messages))


def piped(talk: Talk) -> int:
    """Answer each line of standard input. Returns the exit code."""
    return _all(talk, _lines(talk))


def _all(talk: Talk, jobs: Iterable[tuple[Do, str]]) -> int:
    """Do one after the other. Returns 2 if one could not be done."""
    code = 0
    for do, text in jobs:
        try:
            if do(text) is True:
                break
        except UserError as error:
            complain(talk.err, str(error))
            code = 2
    return code


def _lines(talk: Talk) -> Iterator[tuple[Do, str]]:
    """What each line of standard input asks for."""
    asked = 0
    with opened("-", "chat.py") as file:
        for number, line in lines(file, "standard input"):
            if len(line) >= _CUT:
                raise UserError(f"standard input, line {number}: is longer than {_CUT:,} characters, and was not read")
            if line.strip():
                asked += 1
                yield _job(talk, line), line
    if not asked:
        raise UserError("there is no terminal to type on, and no message in standard input: add --ask TEXT")


def _job(talk: Talk, line: str) -> Do:
    if line.startswith("//"):
        return lambda text: talk.answer(text[1:])
    return partial(commands.run, talk) if line.startswith("/") else talk.answer


def prompt(talk: Talk) -> int:
    """Ask for messages until the user leaves. What is wrong is said, and the prompt goes on. Returns 0."""
    _edit()
    with contextlib.suppress(AttributeError):
        sys.stdin.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    _greet(talk)
    leaving = False
    while True:
        try:
            line = input("\n> ")
            leaving = False
            if line.strip() and _done(talk, line):
                return 0
        except EOFError:
            talk.out.print()
            return 0
        except KeyboardInterrupt:
            talk.out.print()
            if leaving:
                return 0
            leaving = True
            talk.note(AGAIN)


def _edit() -> None:
    """Let input() edit lines and remember them, and take a pasted text of several lines as one message."""
    with contextlib.suppress(ImportError):
        import readline

        if os.environ.get("TERM", "dumb") != "dumb" and "libedit" not in (readline.__doc__ or ""):
            readline.parse_and_bind("set enable-bracketed-paste on")  # Python turns it off


def _done(talk: Talk, line: str) -> bool:
    """Do what one line asks for; returns whether to leave."""
    try:
        left = _job(talk, line)(line) is True
        interrupts.check()
        return left
    except UserError as error:
        complain(talk.err, str(error))
    except KeyboardInterrupt:
        talk.note("stopped")
    return False


def _greet(talk: Talk) -> None:
    speaker = talk.speaker
    name, where = printable(speaker.model.name, talk.sheet.plain), f"{speaker.twin.name} on {speaker.twin.device}"
    talk.out.print(Text(f"{name}, {speaker.weights:,} parameters, {where}"))
    talk.out.print(Text("Type a message. /help lists commands, Ctrl-C stops an answer, Ctrl-D leaves."))
