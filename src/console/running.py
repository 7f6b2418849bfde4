"""The training itself: a bar, a row for each epoch, saves on the way, and a stop between two updates."""

import signal
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from common.run import TrainState
from console import screens
from console.session import Session


@dataclass
class Stop:
    """A wish to stop, noted by a signal handler and granted between two updates."""

    signal: int = 0
    before: dict[int, Any] = field(default_factory=dict)

    def __enter__(self) -> "Stop":
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


def run(session: Session) -> int:
    """Train to the end or to a signal; returns the signal's number, or 0. Saves each epoch and on the way."""
    session.save()
    session.say(screens.epoch_head(session.page))
    # a diverging run is stopped with a sentence; NumPy's own warnings on the way there would hide it
    with Stop() as stop, np.errstate(over="ignore", invalid="ignore"), _progress(session) as progress:
        return _walk(session, stop, progress)


def _walk(session: Session, stop: Stop, progress: Progress) -> int:
    subject, train, begun = session.subject, session.train, time.monotonic()
    waiting = "compiling, first time only" if subject.twin.name == "jax" else ""
    if waiting and not session.console.is_terminal:
        session.say(waiting)
    task = progress.add_task("", total=train.steps, completed=session.state.step, loss=waiting, rate="")
    saved = session.state.step
    every = 1 if subject.twin.name == "numpy" else 50
    for state in subject.twin.train.fit(session.state, subject.data, model=subject.model, train=train, every=every):
        session.state = state
        if waiting:
            first = f"first {state.step - saved} updates after {time.monotonic() - begun:.1f} s"
            progress.console.print(Text(first))
            waiting = ""
        _show(progress, task, state)
        epoch_ended = state.step % train.steps_per_epoch == 0
        if epoch_ended:
            _end_of_epoch(session, progress)
        if epoch_ended or state.step - saved >= session.asked.save_every or stop.signal:
            session.save()
            saved = state.step
        if stop.signal:
            return stop.signal if state.step < train.steps else 0
    return 0


def _progress(session: Session) -> Progress:
    figures = TextColumn("{task.fields[loss]}")
    columns: list[ProgressColumn] = [MofNCompleteColumn(), figures]
    if not session.page.narrow:
        speed = [TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True)]
        columns = [BarColumn(bar_width=20), *columns, *speed]
    return Progress(*columns, console=session.console, transient=True, disable=not session.console.is_terminal)


def _show(progress: Progress, task: Any, state: TrainState) -> None:
    """A bar of updates with the means of the last 20 and the speed. Redrawn ten times a second by rich itself."""
    recent = state.history.loss[-20:]
    shares = state.history.accuracy[-20:]
    speed = progress.tasks[0].speed
    progress.update(
        task,
        completed=state.step,
        loss=f"loss {sum(recent) / len(recent):.4f} acc {100 * sum(shares) / len(shares):.1f} %",
        rate=f"{speed:.0f} steps/s" if speed else "",
    )


def _end_of_epoch(session: Session, progress: Progress) -> None:
    state, subject, page = session.state, session.subject, session.page
    best = state.best
    is_best = best is not None and best.step == state.step
    line = screens.epoch_line(state.history.epochs[-1], session.train.epochs, is_best, page)
    progress.console.print(Text(line), soft_wrap=True)
    if session.asked.interactive:
        progress.console.print(Text(f"  {subject.one_answer(state.params, page)}", style="dim"))
    session.maps.append((state.step, subject.look(state.params)))
    if best is not None and is_best:
        session.save_best(best)
