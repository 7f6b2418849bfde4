"""The loop around the stepper: where its commands come from, and what happens to signals."""

import contextlib
import json
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

import numpy as np
from rich.text import Text

from common import tree
from common.errors import UserError
from console import story, terminal
from console.session import Session
from console.stepper import breaking, commands, keeping, reporting, shown, walking
from console.stepper.stepper import Stepper

HINT = "Enter goes on, b back, help lists what else there is, q leaves."
TWINS = "Stations show NumPy's numbers of the same weights, and single updates are NumPy's; `run` uses JAX."


class _Terminated(BaseException):
    """SIGTERM while a command was awaited or at work."""


def walk(session: Session) -> int:
    """Step through a run; returns the exit code: 0, 1 if a command of a script was refused, 143 after SIGTERM."""
    asked = session.asked
    stepper = Stepper(session)
    if asked.json or asked.steps is not None:
        return _guarded(stepper, lambda: _updates(stepper))
    if session.state.step:
        session.say(f"Resuming {session.last} at update {session.state.step:,} of {session.train.steps:,}.")
    if session.subject.twin.name == "jax":
        session.say(TWINS)
    if asked.script is not None:
        with terminal.opened(asked.script, "--script") as file:
            lines = [line for _, line in terminal.lines(file, asked.script)]
        return _guarded(stepper, lambda: _scripted(stepper, lines))
    return _guarded(stepper, lambda: _prompted(stepper))


def _guarded(stepper: Stepper, walked: Any) -> int:
    """Run a loop with SIGTERM, or Ctrl-C where nobody is asked, saving the run; then say how to go on."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _walked(stepper, walked)
        signal.signal(signal.SIGTERM, before)  # all is saved: the report need not be waited for
        _report(stepper)
    finally:
        signal.signal(signal.SIGTERM, before)
        breaking.mend()
    _goodbye(stepper)
    return code


def _walked(stepper: Stepper, walked: Any) -> int:
    try:
        return walked()
    except (_Terminated, KeyboardInterrupt) as wish:
        stepper.leaving = True
        if stepper.unsaved:
            saved = keeping.save_now(stepper)
            if not stepper.session.asked.json:
                _print(stepper, [Text(line) for line in saved])
        return 128 + (signal.SIGINT if isinstance(wish, KeyboardInterrupt) else signal.SIGTERM)


def _report(stepper: Stepper) -> None:
    """The page of `--report`, before what is broken is mended; JSON has the output to itself."""
    told = [] if stepper.abandoned else reporting.at_the_end(stepper)
    if not stepper.session.asked.json:
        _print(stepper, [Text(line) for line in told])


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _goodbye(stepper: Stepper) -> None:
    session, state = stepper.session, stepper.state
    if session.asked.json:
        return
    if not session.last.exists():
        session.say(
            "Left before training: nothing was written." if state.step == stepper.first.step else "Nothing was written."
        )
    elif state.step < session.train.steps:
        session.say(story.again(session))


# ---- a person at a terminal ----


def _prompted(stepper: Stepper) -> int:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (editing and history at the prompt)
    stepper.session.say(HINT)
    _print(stepper, stepper.screen())
    while not stepper.leaving:
        try:
            line = input(f"\n{_where(stepper)} > ")
        except EOFError:
            line = "q"
            stepper.session.console.print()
        except KeyboardInterrupt:
            line = _interrupted(stepper)
            if not line:
                continue
        try:
            do(stepper, line)
        except KeyboardInterrupt:
            stepper.session.say("\nInterrupted: nothing was changed by it.")
    return _code(stepper)


def _interrupted(stepper: Stepper) -> str:
    """What Ctrl-C at the prompt means: leave, after a question where something would be lost."""
    stepper.session.console.print()
    if not stepper.unsaved:
        return "q"
    try:
        answer = input(f"Save update {stepper.state.step:,} and leave? y, n (leave without saving), Enter stays > ")
    except (EOFError, KeyboardInterrupt):
        stepper.session.console.print()
        return "q!"
    return {"y": "q", "yes": "q", "n": "q!", "no": "q!"}.get(answer.strip().lower(), "")


def _where(stepper: Stepper) -> str:
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
    except UserError as error:
        page = stepper.page
        stepper.session.console.print(Text(terminal.printable(str(error), page.ascii_only), style="red"))
        return False
    _print(stepper, shown_)
    return True


def _print(stepper: Stepper, shown_: commands.Shown) -> None:
    if isinstance(shown_, list | tuple):
        stepper.session.console.print(*shown_, sep="\n")
    elif shown_ is not None:
        stepper.session.console.print(shown_)


def _code(stepper: Stepper) -> int:
    return 128 + signal.SIGTERM if stepper.stopped == signal.SIGTERM else 0


# ---- nobody there ----


def _scripted(stepper: Stepper, lines: list[str]) -> int:
    """Commands one a line; # begins a comment. Every one is done, and 1 returned if any was refused."""
    refused = False
    for line in _commands(lines):
        stepper.session.say(f"\n{_where(stepper)} > {terminal.printable(line, stepper.page.ascii_only)}")
        refused = not do(stepper, line) or refused
        if stepper.stopped == signal.SIGINT:
            raise KeyboardInterrupt  # nobody is there to say how to go on
        if stepper.leaving:
            break
    if not stepper.leaving:
        _print(stepper, keeping.leave(stepper, []))
    return _code(stepper) or int(refused)


def _commands(lines: list[str]) -> Iterator[str]:
    """The commands of a script. An empty line is layout there; `n` goes on."""
    for line in lines:
        command = line.partition("#")[0].strip()
        if command:
            yield command


def _updates(stepper: Stepper) -> int:
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
        _print(stepper, told)
    return 0


def _print_update(stepper: Stepper) -> None:
    if stepper.session.asked.json:
        print(json.dumps(measured(stepper)), flush=True)
        return
    for index in range(len(stepper.stations)):
        stepper.go(index)
        _print(stepper, [stepper.screen(), Text("")])


def measured(stepper: Stepper) -> dict[str, Any]:
    """What an update measured, for JSON."""
    made = stepper.moment
    norms = {name: shown.norm(leaf) for name, leaf in tree.items(made.grads)}
    found: dict[str, Any] = {"step": made.number, "loss": made.after.history.loss[-1], "accuracy": made.accuracy}
    found |= {"lr": made.lr, "gradient_norms": norms}
    if len(made.after.history.epochs) > len(made.before.history.epochs):
        found["epoch"] = made.after.history.epochs[-1]
    return found
