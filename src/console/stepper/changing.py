"""The commands that change how the run goes on: learning rate, batch size, optimizer, weight decay.

The settings are the run's own from then on: its checkpoint carries them, and a resumed run goes on with them. What was
changed, and after which update, is written beside the checkpoint (changes.json).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from common import schedule
from common.config import KEEPS, OPTIMIZERS, TrainConfig
from common.errors import UserError
from common.run import TrainState
from console.page import lines
from console.stepper import keeping
from console.stepper.commands import Command, Shown, near, whole
from numpy_ref import optim

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


def lr(stepper: "Stepper", words: list[str]) -> Shown:
    return _number(stepper, words, "lr", "the highest learning rate", "the schedule keeps its form", 0.001)


def wd(stepper: "Stepper", words: list[str]) -> Shown:
    return _number(stepper, words, "weight_decay", "the weight decay", "", 0.01)


def _number(stepper: "Stepper", words: list[str], field: str, what: str, more: str, like: float) -> Shown:
    train = stepper.session.train
    if not words:
        told = f"{what[0].upper()}{what[1:]} is {getattr(train, field):g}{more and f'; {more}'}."
        return lines(told, *_rate(stepper))
    try:
        value = float(words[0])
    except ValueError:
        raise UserError(f"{what} is a number like {like:g}, not {words[0]!r}") from None
    return _change(stepper, field, value)


def opt(stepper: "Stepper", words: list[str]) -> Shown:
    if not words:
        return lines(f"optimizer {stepper.session.train.optimizer}; there are {', '.join(OPTIMIZERS)}.")
    if words[0] not in OPTIMIZERS:
        raise UserError(f"there is no optimizer {words[0]!r}{near(words[0], OPTIMIZERS)}: take {', '.join(OPTIMIZERS)}")
    return _change(stepper, "optimizer", words[0])


def batch(stepper: "Stepper", words: list[str]) -> Shown:
    """The number of examples in an update, where the batches that were taken stay those of their epoch."""
    session = stepper.session
    if not words:
        return lines(f"batch size {session.train.batch_size}: {session.train.steps_per_epoch:,} updates an epoch.")
    size = whole(words[0], "the batch size", 1, session.train.examples)
    changed = replace(session.train, batch_size=size)
    step = stepper.state.step
    if step // changed.steps_per_epoch != step // session.train.steps_per_epoch:
        raise UserError(
            f"with {size} in a batch an epoch has {changed.steps_per_epoch:,} updates, and the {step:,} that are made "
            "would not be the epochs that were counted: change it in the first epoch, or take a size nearer to "
            f"{session.train.batch_size}"
        )
    return _change(stepper, "batch_size", size)


def _change(stepper: "Stepper", field: str, value: Any) -> Shown:
    session, old = stepper.session, stepper.session.train
    changed = replace(old, **{field: value})
    warmup = min(changed.warmup, changed.steps)
    changed = replace(changed, warmup=warmup)
    before = getattr(old, field)
    if before == value:
        return lines(f"It is {value} already.")
    told: list[str] = []
    if field == "optimizer":
        stepper.state, told = _exchanged(stepper.state, old, changed)
        told.append(f"The weight decay stays {changed.weight_decay:g}; `wd X` changes it.")
    session.train = changed
    keeping.note(stepper, field, before, value)
    again = stepper.renew()
    when = f"from update {stepper.state.step + 1:,} on"
    first = f"{field.replace('_', ' ')} {before} -> {value} {when}{', this one, which was run again' if again else ''}."
    if field == "batch_size":
        told.append(f"An epoch has {changed.steps_per_epoch:,} updates now, the run {changed.steps:,}.")
    kept = "The checkpoint carries it; changes.json beside it says what was changed and when."
    return lines(first, *told, *_rate(stepper), kept)


def _exchanged(state: TrainState, old: TrainConfig, new: TrainConfig) -> tuple[TrainState, list[str]]:
    """The state for another optimizer: what both keep in the same sense is kept, else it begins at zero."""
    if KEEPS[old.optimizer] == KEEPS[new.optimizer]:
        return state, ["It keeps the moments it finds."]
    fresh = optim.init(state.params, new)
    told = ["Its moments begin at zero, and its count of updates too."] if KEEPS[new.optimizer] else []
    return replace(state, opt=fresh), told


def _rate(stepper: "Stepper") -> list[str]:
    train, step = stepper.session.train, stepper.state.step
    if step >= train.steps:
        return []
    rate = schedule.learning_rate(step, steps=train.steps, lr=train.lr, schedule=train.schedule, warmup=train.warmup)
    return [f"Update {step + 1:,} has the learning rate {rate:.4g} ({train.schedule}, {train.warmup} of warm-up)."]


WHEN = "an update in view that is not made yet is run again, else it holds from the next one on."
COMMANDS = (
    Command(("lr",), "lr [X]", f"Say or change the highest learning rate; {WHEN}", lr),
    Command(("batch",), "batch [N]", f"Say or change how many examples an update takes; {WHEN}", batch),
    Command(("opt",), "opt [NAME]", f"Say or change the optimizer: sgd, momentum, adam, adamw; {WHEN}", opt),
    Command(("wd",), "wd [X]", f"Say or change the weight decay; {WHEN}", wd),
)
