"""The stepper where nobody sits: commands from a script, or update after update for `--steps` and `--json`."""

import json
import signal
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from common import tree
from console import terminal
from console.stepper import keeping, shown, walking
from console.stepper.doing import code, do, say, where
from console.stepper.stepper import Stepper


def scripted(stepper: Stepper, lines: list[str]) -> int:
    """Commands one a line; # begins a comment. Every one is done, and 1 returned if any was refused."""
    refused = False
    for line in _commands(lines):
        stepper.session.say(f"\n{where(stepper)} > {terminal.printable(line, stepper.page.ascii_only)}")
        refused = not do(stepper, line) or refused
        if stepper.stopped == signal.SIGINT:
            raise KeyboardInterrupt  # nobody is there to say how to go on
        if stepper.leaving:
            break
    if not stepper.leaving:
        say(stepper, keeping.leave(stepper, []))
    return code(stepper) or int(refused)


def _commands(lines: list[str]) -> Iterator[str]:
    """The commands of a script. An empty line is layout there; `n` goes on."""
    for line in lines:
        command = line.partition("#")[0].strip()
        if command:
            yield command


def updates(stepper: Stepper) -> int:
    """`--steps` and `--json`: update after update."""
    session = stepper.session
    left = session.asked.steps if session.asked.steps is not None else session.train.steps
    while left > 0 and stepper.state.step < session.train.steps:
        stepper.enter()
        _print_update(stepper)
        walking.make(stepper)
        left -= 1
    told = keeping.leave(stepper, [])
    if not session.asked.json:
        say(stepper, told)
    return 0


def _print_update(stepper: Stepper) -> None:
    if stepper.session.asked.json:
        print(json.dumps(measured(stepper)), flush=True)
        return
    for index in range(len(stepper.stations)):
        stepper.go(index)
        say(stepper, [stepper.screen(), Text("")])


def measured(stepper: Stepper) -> dict[str, Any]:
    """What an update measured, for JSON."""
    made = stepper.moment
    norms = {name: shown.norm(leaf) for name, leaf in tree.items(made.grads)}
    found: dict[str, Any] = {"step": made.number, "loss": made.after.history.loss[-1], "accuracy": made.accuracy}
    found |= {"lr": made.lr, "gradient_norms": norms}
    if len(made.after.history.epochs) > len(made.before.history.epochs):
        found["epoch"] = made.after.history.epochs[-1]
    return found
