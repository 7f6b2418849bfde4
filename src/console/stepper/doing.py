"""One command of the stepper: where it was typed, what it shows, or why it was refused."""

import signal

import numpy as np
from rich.text import Text

from common.errors import UserError
from console import interrupts, terminal
from console.stepper import commands
from console.stepper.stepper import Stepper


def where(stepper: Stepper) -> str:
    """What stands before the prompt's sign."""
    train = stepper.session.train
    if stepper.part != "step":
        return f"[{stepper.state.step}/{train.steps}]"
    kind, _, place = stepper.station.name.partition(" ")
    return f"[{stepper.moment.number}/{train.steps}] {kind}" + ("" if stepper.page.narrow or not place else f" {place}")


def do(stepper: Stepper, line: str) -> bool:
    """Do a command and print what it shows, or why it was refused; whether it was done."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            shown_ = commands.run(stepper, line)
        interrupts.check()
    except UserError as error:
        page = stepper.page
        stepper.session.console.print(Text(terminal.printable(str(error), page.ascii_only), style="red"))
        return False
    say(stepper, shown_)
    return True


def say(stepper: Stepper, shown_: commands.Shown) -> None:
    if isinstance(shown_, list | tuple):
        stepper.session.console.print(*shown_, sep="\n")
    elif shown_ is not None:
        stepper.session.console.print(shown_)


def code(stepper: Stepper) -> int:
    return 128 + signal.SIGTERM if stepper.stopped == signal.SIGTERM else 0
