"""The two streams that a program of ours prints on, and how it ends: with a code and at most one sentence."""

import argparse
import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TextIO

from rich.console import Console
from rich.text import Text

from common.errors import UserError
from console import draw, interrupts

AGAIN = "Ctrl-C again leaves, and so does Ctrl-D"
"""What is said after the first Ctrl-C at a prompt."""
_LINE = 65_536
"""Characters of a line that are read: more than any question or prompt may have, and no more memory than that."""


CLOSED = 141
"""The exit code where nobody reads on: what a shell reports of a program that a closed pipe has ended."""


class Screen(Console):
    """What users type is text, never markup; and a closed pipe is the caller's affair."""

    def __init__(self, **kw: Any):
        super().__init__(highlight=False, markup=False, emoji=False, **kw)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def guarded(run: Callable[[Console, Console], int], what: str, hasty: bool = False) -> int:
    """Run a program that prints `what` on stdout and sentences on stderr; returns its exit code.

    Of its own accord: 2 for bad input, 130 after Ctrl-C, 141 where nobody reads on. `hasty` as in interrupts.Hold.
    """
    out, err = Screen(), Screen(stderr=True)
    try:
        with interrupts.hold(hasty):
            code = run(out, err)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except UserError as error:
        complain(err, str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        close_stdout()
        if isinstance(error, BrokenPipeError):
            return CLOSED
        complain(err, f"the {what} cannot be written: {error.strerror or error}")
        return 2


def close_stdout() -> None:
    """Point standard output nowhere, so that what is left in its buffer causes no second error at exit."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(err: Console, sentence: str) -> None:
    say(err, Text(f"error: {printable(sentence, draw.is_ascii(err))}", "red"))


def say(err: Console, text: Text) -> None:
    """Print to stderr, broken between words on a terminal; in a file or a pipe a sentence stays one line."""
    err.print(text, soft_wrap=not is_terminal(sys.stderr))


def announce(err: Console, backend: str) -> None:
    """Say why the first answer takes a while; a program at the other end of a pipe needs no consolation."""
    if backend == "jax" and is_terminal(sys.stderr):
        say(err, Text("JAX is compiling, the first time only ...", "dim"))


class Parser(argparse.ArgumentParser):
    """A parser of flags whose complaints are a sentence, without the list of all flags before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message.removeprefix('argument ')}; --help explains the flags\n")


def whole(low: int, high: int) -> Callable[[str], int]:
    """For a parser of flags: a reader of whole numbers between two bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 12 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}, not {text!r}")
        return int(text)

    return read


def is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def printable(text: str, plain: bool) -> str:
    """A text that can harm no terminal: `?` for controls, broken bytes and, in plain ASCII, for all that is not."""
    return "".join(c if c.isprintable() and (c.isascii() or not plain) else " " if c == "\t" else "?" for c in text)


def opened(name: str, flag: str) -> contextlib.AbstractContextManager[TextIO]:
    """A text file, or standard input for `-`. Raises UserError, which names the flag, if it cannot be read.

    A byte that is not UTF-8 becomes a character that every reader of questions refuses with its place.
    """
    how: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "surrogateescape"}
    if name == "-":
        if sys.stdin is None:
            raise UserError(f"{flag} -: there is no standard input")
        with contextlib.suppress(AttributeError):
            sys.stdin.reconfigure(**how)  # type: ignore[union-attr]
        return contextlib.nullcontext(sys.stdin)
    try:
        return open(name, **how)
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {error.strerror or error}") from None


def lines(file: TextIO, name: str) -> Iterator[tuple[int, str]]:
    """Each line with its number, without its end; of an endless line only the beginning."""
    try:
        for number in itertools.count(1):
            line = end = file.readline(_LINE)
            while end and not end.endswith("\n"):
                end = file.readline(_LINE)
            if not line:
                return
            yield number, line.rstrip("\n")
    except (OSError, UnicodeError) as error:
        raise UserError(f"{name}: cannot be read: {error}") from None
