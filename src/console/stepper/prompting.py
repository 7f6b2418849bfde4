"""The loop around the stepper: where its commands come from, and what happens to signals."""

import contextlib
import signal
from types import FrameType
from typing import Any

from rich.text import Text

from console import story, terminal
from console.session import Session
from console.stepper import breaking, keeping, reporting, unattended
from console.stepper.doing import code, do, say, where
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
        return _guarded(stepper, lambda: unattended.updates(stepper))
    if session.state.step:
        session.say(f"Resuming {session.last} at update {session.state.step:,} of {session.train.steps:,}.")
    if session.subject.twin.name == "jax":
        session.say(TWINS)
    if asked.script is not None:
        with terminal.opened(asked.script, "--script") as file:
            lines = [line for _, line in terminal.lines(file, asked.script)]
        return _guarded(stepper, lambda: unattended.scripted(stepper, lines))
    return _guarded(stepper, lambda: _prompted(stepper))


def _guarded(stepper: Stepper, walked: Any) -> int:
    """Run a loop with SIGTERM, or Ctrl-C where nobody is asked, saving the run; then say how to go on."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        left = _walked(stepper, walked)
        signal.signal(signal.SIGTERM, before)  # all is saved: the report need not be waited for
        _report(stepper)
    finally:
        signal.signal(signal.SIGTERM, before)
        breaking.mend()
    _goodbye(stepper)
    return left


def _walked(stepper: Stepper, walked: Any) -> int:
    try:
        return walked()
    except (_Terminated, KeyboardInterrupt) as wish:
        stepper.leaving = True
        if stepper.unsaved:
            saved = keeping.save_now(stepper)
            if not stepper.session.asked.json:
                say(stepper, [Text(line) for line in saved])
        return 128 + (signal.SIGINT if isinstance(wish, KeyboardInterrupt) else signal.SIGTERM)


def _report(stepper: Stepper) -> None:
    """The page of `--report`, before what is broken is mended; JSON has the output to itself."""
    told = [] if stepper.abandoned else reporting.at_the_end(stepper)
    if not stepper.session.asked.json:
        say(stepper, [Text(line) for line in told])


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


def _prompted(stepper: Stepper) -> int:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (editing and history at the prompt)
    stepper.session.say(HINT)
    say(stepper, stepper.screen())
    leaving = False
    while not stepper.leaving:
        try:
            line = input(f"\n{where(stepper)} > ")
        except EOFError:
            line = "q"
            stepper.session.console.print()
        except KeyboardInterrupt:
            line = _interrupted(stepper, leaving)
            if not line:
                leaving = True
                continue
        leaving = False
        try:
            do(stepper, line)
        except KeyboardInterrupt:
            stepper.session.say("\nInterrupted: nothing was changed by it.")
    return code(stepper)


def _interrupted(stepper: Stepper, again: bool) -> str:
    """What Ctrl-C at the prompt means: the second in a row leaves; the first says so, or asks what to save."""
    stepper.session.console.print()
    if not stepper.unsaved:
        if not again:
            stepper.session.say(f"({terminal.AGAIN})")
        return "q" if again else ""
    try:
        asked = f"Save update {stepper.state.step:,} and leave? y, n (or Ctrl-C again: without saving), Enter stays > "
        answer = input(asked)
    except (EOFError, KeyboardInterrupt):
        stepper.session.console.print()
        return "q!"
    return {"y": "q", "yes": "q", "n": "q!", "no": "q!"}.get(answer.strip().lower(), "")
