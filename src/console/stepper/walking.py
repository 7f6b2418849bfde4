"""How the stepper moves: from station to station, over updates, and at full speed."""

import signal
from typing import TYPE_CHECKING

from common.errors import UserError
from console import running
from console.stepper import keeping, scenes, twins

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


def on(stepper: "Stepper") -> None:
    """To the next station: of the prologue, of the update, of the next update, of the epilogue."""
    if stepper.part == "prologue" and stepper.index + 1 < len(scenes.prologue(stepper)):
        stepper.index += 1
    elif stepper.part == "prologue":
        _begin(stepper)
    elif stepper.part == "epilogue":
        _next_scene(stepper)
    elif stepper.index + 1 < len(stepper.stations):
        stepper.go(stepper.index + 1)
    elif stepper.chosen < -1:
        stepper.chosen += 1
        stepper.go(0)
    else:
        _begin(stepper)


def _begin(stepper: "Stepper", station: str = "") -> None:
    """The next update, or the epilogue behind the last one."""
    keep_epoch(stepper)
    if stepper.state.step < stepper.session.train.steps:
        stepper.enter(station)
    else:
        finish(stepper)


def finish(stepper: "Stepper") -> None:
    """To the first scene after training."""
    stepper.part, stepper.index = "epilogue", 0


def _next_scene(stepper: "Stepper") -> None:
    if stepper.index + 1 >= len(scenes.epilogue(stepper)):
        stepper.leaving = True
    else:
        stepper.index += 1


def back(stepper: "Stepper") -> None:
    """To the station before. Raises UserError where nothing before is kept."""
    if stepper.part == "step":
        _back_in_step(stepper)
    elif stepper.index > 0:
        stepper.index -= 1
    elif stepper.part == "epilogue" and stepper.moments:
        stepper.part, stepper.chosen = "step", -1
        stepper.go(len(stepper.stations) - 1)
    else:
        raise UserError("this is the first station")


def _back_in_step(stepper: "Stepper") -> None:
    if stepper.index > 0:
        stepper.go(stepper.index - 1)
    elif -stepper.chosen < len(stepper.moments):
        stepper.chosen -= 1
        stepper.go(len(stepper.stations) - 1)
    elif stepper.moment.before.step == stepper.first.step:
        stepper.part, stepper.index = "prologue", len(scenes.prologue(stepper)) - 1
    else:
        raise UserError("nothing before this is kept: the last 20 recorded updates are, while they fit in memory")


def steps(stepper: "Stepper", n: int) -> None:
    """`n` updates on, at the same station; each is recorded, so that one can go back."""
    if stepper.state.step >= stepper.session.train.steps:
        raise UserError("the run is complete: there is no update left")
    station = stepper.station.name if stepper.part == "step" else ""
    if stepper.part == "step":
        stepper.chosen = -1
        make(stepper)
        n = n if station else n - 1
    for left in reversed(range(n)):
        if stepper.state.step >= stepper.session.train.steps:
            finish(stepper)
            return
        stepper.enter(station)
        if left:
            make(stepper)


def make(stepper: "Stepper") -> None:
    """Count the newest update as made."""
    if stepper.moments:
        stepper.state = stepper.moments[-1].after
    keep_epoch(stepper)


def keep_epoch(stepper: "Stepper") -> None:
    """What the pictures of the run want to know: of some updates the parameters, of the end of an epoch attention."""
    state, session = stepper.state, stepper.session
    session.watch(state)
    kept = [step for step, _ in session.maps]
    if state.step and state.step % session.train.steps_per_epoch == 0 and state.step not in kept:
        session.maps.append((state.step, session.subject.look(state.params)))


def run(stepper: "Stepper", until: running.Until | None, target: int | None) -> int:
    """Train at full speed; returns the number of the signal that stopped it, or 0."""
    session = stepper.session
    keeping.prepare(stepper)
    session.state = twins.of_twin(stepper.state, session.subject.twin)
    stepper.stopped = running.run(session, until=until, target=target)
    stepper.state = twins.to_numpy(session)
    stepper.saved = stepper.state.step
    if stepper.stopped == signal.SIGTERM:
        stepper.leaving = True
    return stepper.stopped


def arrive(stepper: "Stepper") -> None:
    """After a run: to the same station of the next update, or to the first where that one would make it."""
    before = stepper.part == "step" and stepper.index < stepper.place_of("optimizer")
    _begin(stepper, stepper.station.name if before else "")
