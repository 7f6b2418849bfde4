"""One update, looked at: everything that it reads and makes, recorded while it ran and never computed again.

The forward is the plain form (the classifier's `forward`, every position of every block), so that every intermediate
has its name; the state after is training's own. The two forms differ by rounding alone, as a test holds.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from common import random, schedule
from common.config import ClassifierConfig, ModelConfig, TaskConfig, TrainConfig
from common.data import batching
from common.data.batching import AnyExamples
from common.run import AnyData, TrainState
from common.trace import Trace
from common.tree import unflatten
from common.types import Array, Key, Tree
from numpy_ref import family, optim
from numpy_ref import train as training
from numpy_ref.models import classifier


@dataclass(frozen=True)
class Look:
    """A forward that was recorded: of a batch, or of one example beside it."""

    examples: AnyExamples
    trace: Trace
    """`trace["blocks.1.attn/attend.forward/w_BNGTS"]`; see common/trace.py for the names."""
    logits: Array
    """(B, C) or (B, T, V)."""
    loss: float
    """Mean over what counts, in nats."""
    trained_on: bool
    """Whether the update learns from these examples."""


@dataclass(frozen=True)
class Moment:
    """One update: from `before` to `after`."""

    model: ModelConfig
    task: TaskConfig
    train: TrainConfig
    """The settings of this update."""
    lr: float
    """Its learning rate, by the schedule."""
    key: Key | None
    """Of its dropout masks; None for a model without dropout."""
    before: TrainState
    after: TrainState
    """`next(train.fit(before, ...))`, bit for bit, the end of an epoch included."""
    look: Look
    """The batch."""
    grads: Tree
    """The gradient of every parameter, by the backward that `look.trace` holds."""
    used: Tree
    """The gradient that the optimizer was given: `grads` but for rounding."""
    opt_before: dict
    """The optimizer's state as trees by name, `optim.export`: `step`, and `m`, `v` where it keeps them."""
    opt_after: dict
    logits_after: Array
    """Of the same batch with the same dropout masks, by the parameters after."""
    loss_after: float
    accuracy: float
    """Share of the batch that was answered rightly before the update."""
    accuracy_after: float
    applied: dict[str, Any]
    """Locals of `optim.update`, the optimizer's own numbers: `size`, `direction_P` and others."""
    cost: int = field(compare=False, default=0)
    """Bytes that the recorded numbers take."""

    @property
    def number(self) -> int:
        """Of the update, from 1."""
        return self.before.step + 1

    @property
    def params(self) -> Tree:
        """The parameters that everything in `look` was computed with."""
        return self.before.params


class _Optimizing(Trace):
    """Of a whole update only what the optimizer does: an epoch's evaluation would fill the memory."""

    def _returned(self, frame: FrameType, place: str, result: Any) -> None:
        if Path(frame.f_code.co_filename).stem == "optim":
            super()._returned(frame, place, result)


def record(state: TrainState, data: AnyData, model: ModelConfig, train: TrainConfig) -> Moment:
    """Make one update of a NumPy state, recording it. Raises UserError where training has diverged."""
    with _Optimizing(state.params) as updating, np.errstate(over="ignore", invalid="ignore"):
        after = next(training.fit(state, data, model=model, train=train))
    [update] = [call for call in updating.calls if call.function == "optim.update"]
    step = state.step
    key = dropout_key(model, train, step)
    batch = batching.batch(data.train, train, step)
    look, grads = backward(state.params, batch, model, key)
    logits_after, _ = forward(after.params, batch, model, key)
    loss_after, _ = family.loss(logits_after, batch)
    return Moment(
        model=model,
        task=data.task,
        train=train,
        lr=schedule.learning_rate(step, steps=train.steps, lr=train.lr, schedule=train.schedule, warmup=train.warmup),
        key=key,
        before=state,
        after=after,
        look=look,
        grads=grads,
        used=unflatten(update.locals["raw_P"], state.params),
        opt_before=optim.export(state.opt, state.params),
        opt_after=optim.export(after.opt, state.params),
        logits_after=logits_after,
        loss_after=float(loss_after),
        accuracy=after.history.accuracy[-1],
        accuracy_after=float(np.mean(family.right(logits_after, batch))),
        applied=update.locals,
        cost=_bytes(look.trace),
    )


def dropout_key(model: ModelConfig, train: TrainConfig, step: int) -> Key | None:
    """The key with which update number `step`, from 0, drops; None for a model without dropout."""
    if not getattr(model, "dropout", 0.0):
        return None
    return random.fold_in(random.fold_in(random.key(train.seed), 3), step)


def forward(params: Tree, examples: AnyExamples, model: ModelConfig, key: Key | None = None):
    """The logits of a batch by the plain forward, and what backward needs."""
    if isinstance(model, ClassifierConfig):
        return classifier.forward(params, tokens_BT=examples.tokens, mask_BT=examples.mask, config=model)
    return family.logits(params, examples, model=model, key=key)


def backward(params: Tree, examples: AnyExamples, model: ModelConfig, key: Key | None) -> tuple[Look, Tree]:
    """Forward, loss and backward of a batch, recorded; and the gradients."""
    with Trace(params) as trace:
        logits, saved_model = forward(params, examples, model, key)
        loss, saved_loss = family.loss(logits, examples)
        dlogits = family.loss_backward(np.ones_like(loss), saved_loss, rank=logits.ndim)
        grads = family.logits_backward(dlogits, saved_model, model=model)
    return Look(examples, trace, logits, float(loss), True), grads


def beside(params: Tree, examples: AnyExamples, model: ModelConfig) -> Look:
    """Forward and loss of examples that nothing is learned from, recorded; nothing is dropped."""
    with Trace(params) as trace:
        logits, _ = forward(params, examples, model)
        loss, _ = family.loss(logits, examples)
    return Look(examples, trace, logits, float(loss), False)


def _bytes(trace: Trace) -> int:
    """Memory of a trace's arrays, each piece of it counted once."""
    roots: dict[int, int] = {}
    for call in trace.calls:
        for value in call.locals.values():
            for array in value if isinstance(value, list) else [value]:
                if isinstance(array, np.ndarray):
                    root = array if array.base is None else array.base
                    roots[id(root)] = getattr(root, "nbytes", array.nbytes)
    return sum(roots.values())
