"""What can be typed instead of a message: a slash and a word."""

import difflib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.text import Text

from common.errors import UserError
from console import backend, page
from console.chatting import stats
from console.chatting.talk import Talk


class Command(NamedTuple):
    run: Callable[[Talk, str], bool | None]
    """Given what stands behind the word; true leaves the program."""
    argument: str
    meaning: str
    others: tuple[str, ...] = ()
    """Other words for it."""


def run(talk: Talk, line: str) -> bool:
    """Do what a line asks for that begins with a slash. Returns whether to leave.

    Raises UserError for a command that there is not, and one that cannot be done.
    """
    word, _, rest = line[1:].strip().partition(" ")
    name = _NAMES.get(word.lower())
    if name is None:
        raise UserError(
            f"there is no /{word[:40]}{_near(word.lower())}; a message that begins with / needs a second one"
        )
    command, argument = COMMANDS[name], rest.strip()
    if argument and not command.argument:
        raise UserError(f"/{name} stands alone: leave out {argument[:40]!r}")
    return bool(command.run(talk, argument))


def _near(word: str) -> str:
    close = difflib.get_close_matches(word, _NAMES, n=3, cutoff=0.5)
    found = dict.fromkeys(_NAMES[near] for near in [*(n for n in _NAMES if word and n.startswith(word)), *close])
    names = [f"/{name}" for name in found][:3]
    return f", perhaps {' or '.join(names)}" if names else "; /help lists what there is"


def _reset(talk: Talk, _: str) -> None:
    talk.dialogue.turns.clear()
    kept = "; the system message stays" if talk.dialogue.system is not None else ""
    talk.note(f"a new conversation{kept}")


def _undo(talk: Talk, _: str) -> None:
    taken = talk.dialogue.undo()
    if taken is None:
        raise UserError("there is nothing to take back: nothing was said yet")
    begin = taken.message if len(taken.message) <= 40 else f"{taken.message[:40]}..."
    talk.note(f"taken back: {json.dumps(begin, ensure_ascii=False)} and the answer to it")


def _system(talk: Talk, text: str) -> None:
    if not text:
        now = talk.dialogue.system
        talk.note("the system message is the model's own" if now is None else f"the system message is: {now}")
        return
    talk.dialogue.instruct(None if text == "-" else text)
    said = "what was said stays, /reset forgets it" if talk.dialogue.turns else "it holds from now on"
    now = "the model's own again" if text == "-" else "changed"
    talk.note(f"the system message is {now}; {said}")


def _setting(field: str, read: Callable[[str], Any]) -> Callable[[Talk, str], None]:
    def change(talk: Talk, text: str) -> None:
        name = field.replace("_", "-")
        if text:
            try:
                value = read(text)
            except ValueError:
                kind = "whole number" if read is int else "number"
                raise UserError(f"{name} must be a {kind}, not {text[:40]!r}") from None
            try:
                talk.speaker.change(**{field: value})
            except UserError as error:
                raise UserError(str(error).replace(field, name)) from None
        talk.note(f"{name} {getattr(talk.speaker.sampling, field):g}")

    return change


def _seed(talk: Talk, text: str) -> None:
    if text:
        if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) < 2**32):
            raise UserError(f"the seed must be a whole number from 0 to {2**32 - 1}, not {text[:40]!r}")
        talk.speaker.sow(int(text))
    talk.note(f"seed {talk.speaker.seed}, {stats.drawn(talk.speaker.answers)} from it")


def _backend(talk: Talk, name: str) -> None:
    twin = talk.speaker.twin
    if name.lower() not in ("", *backend.NAMES):
        raise UserError(f"the backends are {' and '.join(backend.NAMES)}, not {name[:40]!r}")
    if name and name.lower() != twin.name:
        talk.speaker.move(name.lower(), talk.device if name.lower() == "jax" else None)
    talk.note(f"{talk.speaker.twin.name} on {talk.speaker.twin.device}")


def _stats(talk: Talk, _: str) -> None:
    talk.out.print(stats.screen(talk.speaker, talk.dialogue))


def _save(talk: Talk, name: str) -> None:
    if not name:
        raise UserError("/save needs the name of a file: /save talk.json")
    speaker = talk.speaker
    about = {"model": speaker.model.name, "sampling": asdict(speaker.sampling), "seed": speaker.seed}
    talk.dialogue.save(Path(name).expanduser(), **about)
    talk.note(f"written to {name}")


def _help(talk: Talk, _: str) -> None:
    talk.out.print(screen())


def screen() -> Any:
    """All commands, in a table."""
    lines = page.table("", "")
    lines.show_header = False
    for name, command in COMMANDS.items():
        lines.add_row(Text(f"/{name} {command.argument}".rstrip(), "bold"), command.meaning)
    return lines


def _quit(talk: Talk, _: str) -> bool:
    return True


COMMANDS: dict[str, Command] = {
    "reset": Command(_reset, "", "begin a new conversation", ("new", "clear")),
    "undo": Command(_undo, "", "take back the last message and its answer"),
    "system": Command(_system, "TEXT", "what the model is told before everything else; - takes the model's own again"),
    "temp": Command(_setting("temperature", float), "X", "0: the most probable word; more: bolder", ("temperature",)),
    "top-p": Command(_setting("top_p", float), "X", "draw from the most probable that reach X together; 1: all"),
    "top-k": Command(_setting("top_k", int), "N", "draw from the N most probable; 0: from all"),
    "min-p": Command(_setting("min_p", float), "X", "draw from those X times as probable as the first; 0: all"),
    "repetition-penalty": Command(
        _setting("repetition_penalty", float), "X", "above 1: what was said comes less again"
    ),
    "max-new-tokens": Command(_setting("max_new_tokens", int), "N", "how long an answer can be", ("max",)),
    "seed": Command(_seed, "N", "the same seed, the same words"),
    "backend": Command(_backend, "NAME", "numpy or jax: who computes"),
    "stats": Command(_stats, "", "context, memory, speed"),
    "save": Command(_save, "FILE", "write the conversation down, as JSON"),
    "help": Command(_help, "", "this list", ("h", "?")),
    "quit": Command(_quit, "", "leave; so does Ctrl-D", ("q", "exit", "bye")),
}
_NAMES = {word: name for name, command in COMMANDS.items() for word in (name, *command.others)}
