"""The commands of the stepper. Each module named in MODULES has a tuple COMMANDS; this one puts them together."""

import difflib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rich.console import RenderableType

from common.errors import UserError

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper

CLOSE = 0.61
"""How much of a word has to be right before another one is proposed: `nonsense` is no `no-transpose`."""
Shown = RenderableType | Sequence[RenderableType] | None
MODULES = (
    "console.stepper.moving",
    "console.stepper.choosing",
    "console.stepper.viewing",
    "console.stepper.changing",
    "console.stepper.checking",
    "console.stepper.comparing",
    "console.stepper.spoiling",
    "console.stepper.reasoning",
    "console.stepper.keeping",
    "console.stepper.reporting",
    "console.stepper.helping",
)
"""Where commands live, in the order in which `help` lists them."""


@dataclass(frozen=True)
class Command:
    """Something that a user can type."""

    names: tuple[str, ...]
    """The first is the one that `help` calls it by."""
    usage: str
    """`run [N | epoch K | until acc X]`"""
    help: str
    """One sentence; `help COMMAND` shows it whole."""
    run: Callable[["Stepper", list[str]], Shown]
    """What it does, with the words after its name; what it returns is printed. A request that cannot be met raises
    UserError, a sentence."""


@cache
def registry() -> dict[str, Command]:
    """Every command by each of its names."""
    found: dict[str, Command] = {}
    for command in listed():
        for name in command.names:
            assert name not in found, f"two commands are called {name}"
            found[name] = command
    return found


@cache
def listed() -> tuple[Command, ...]:
    """Every command once, in the order of `help`."""
    return tuple(command for name in MODULES for command in importlib.import_module(name).COMMANDS)


def run(stepper: "Stepper", line: str) -> Shown:
    """Do what a line says; an empty line goes on. Raises UserError for an unknown command, with those near it."""
    name, *words = line.split() or ["n"]
    known = registry()
    command = known.get(name) or known.get(name.lower())
    if command is None:
        raise UserError(f"there is no command {name!r}{meant(name)}; `help` lists them")
    return command.run(stepper, words)


def meant(name: str) -> str:
    """`near` among the commands, each by the name that `help` has; a single letter is near everything."""
    known = {other: command.names[0] for other, command in registry().items() if len(other) > 1}
    close = difflib.get_close_matches(name, known, n=3, cutoff=CLOSE)
    found = list(dict.fromkeys(known[other] for other in close))
    return f": did you mean {' or '.join(found)}" if found else ""


def near(name: str, known: Sequence[str] | dict[str, Command], most: int = 3) -> str:
    """`: did you mean lr or layer`, or nothing where nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=most, cutoff=CLOSE)
    return f": did you mean {' or '.join(close)}" if close else ""


def whole(word: str, what: str, low: int, high: int) -> int:
    """A whole number that a user typed. Raises UserError, which says `what` it is and its bounds."""
    if not (word.isascii() and word.isdigit() and len(word) < 12 and low <= int(word) <= high):
        raise UserError(f"{what} is a whole number from {low} to {high}, not {word!r}")
    return int(word)


def one(words: list[str], usage: str) -> str:
    """The only word. Raises UserError if there is none, or another."""
    if len(words) != 1:
        raise UserError(f"it is used like this: {usage}")
    return words[0]
