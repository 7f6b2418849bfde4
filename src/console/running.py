"""The training itself: a bar, a row for each epoch, saves on the way, and a stop between two updates."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from common.run import TrainState
from console import screens
from console.session import Session

MANY = 50
"""Updates that JAX makes at a time."""
Until = Callable[[TrainState], bool]
"""Whether a run has come as far as was wished."""


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


def run(session: Session, until: Until | None = None, target: int | None = None) -> int:
    """Train to the end, to a signal, or until a state is as wished; returns the signal's number, or 0.

    Saves each epoch, on the way, and where it stops. `target` is the update to stop after, where that is known.
    """
    session.save()
    session.watch(session.state)
    per_epoch = session.train.steps_per_epoch
    if target is None or target // per_epoch > session.state.step // per_epoch:
        session.say(screens.epoch_head(session.page))
    # a diverging run is stopped with a sentence; NumPy's own warnings on the way there would hide it
    with Stop() as stop, np.errstate(over="ignore", invalid="ignore"), _progress(session) as progress:
        return _walk(session, stop, progress, until, target)


def _walk(session: Session, stop: Stop, progress: Progress, until: Until | None, target: int | None) -> int:
    subject, train, begun = session.subject, session.train, time.monotonic()
    waiting = "compiling, first time only" if subject.twin.name == "jax" and not session.compiled else ""
    session.compiled = True
    if waiting and not session.console.is_terminal:
        session.say(waiting)
    task = progress.add_task("", total=train.steps, completed=session.state.step, loss=waiting, rate="")
    saved = session.state.step
    for state in _states(session, until, target):
        session.state = state
        session.watch(state)
        if waiting:
            first = f"first {state.step - saved} updates after {time.monotonic() - begun:.1f} s"
            progress.console.print(Text(first))
            waiting = ""
        _show(progress, task, state)
        epoch_ended = state.step % train.steps_per_epoch == 0
        if epoch_ended:
            _end_of_epoch(session, progress)
        enough = state.step == target or (until is not None and until(state))
        if epoch_ended or state.step - saved >= session.asked.save_every or stop.signal or enough:
            session.save()
            saved = state.step
        if stop.signal:
            return stop.signal if state.step < train.steps else 0
        if enough:
            return 0
    return 0


def _states(session: Session, until: Until | None, target: int | None) -> Iterator[TrainState]:
    """The states of the walk: of NumPy after each update, of JAX after many where nobody has to look in between."""
    subject = session.subject
    fit = partial(subject.twin.train.fit, data=subject.data, model=subject.model, train=session.train)
    many = 1 if subject.twin.name == "numpy" or until is not None else MANY
    if target is None or many == 1:
        yield from fit(session.state, every=many)
        return
    while session.state.step + many <= target:
        for state in fit(session.state, every=many):
            yield state
            if state.step + many > target:
                break
    if session.state.step < target:
        yield from fit(session.state, every=1)


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
