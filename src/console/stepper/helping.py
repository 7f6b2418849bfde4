"""The command that explains the others."""

import re
from typing import TYPE_CHECKING

from common.errors import UserError
from console.page import lines, table
from console.stepper.commands import Command, Shown, listed, meant, registry

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


def explain(stepper: "Stepper", words: list[str]) -> Shown:
    if words:
        command = registry().get(words[0])
        if command is None:
            raise UserError(f"there is no command {words[0]!r}{meant(words[0])}; `help` lists them")
        others = [f"Also: {', '.join(command.names[1:])}"] if len(command.names) > 1 else []
        return lines(command.usage, f"  {command.help}", *others)
    rows = table("command", "")
    for command in listed():
        rows.add_row(command.names[0] if stepper.page.narrow else command.usage, _short(command.help))
    return rows


def _short(sentence: str) -> str:
    """Its first part: `help COMMAND` has the rest."""
    return re.split(r"\. |; |: a ", sentence, maxsplit=1)[0].rstrip(".") + "."


COMMANDS = (Command(("help", "h", "?"), "help [COMMAND]", "List the commands, or explain one.", explain),)
