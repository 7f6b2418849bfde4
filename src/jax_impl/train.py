"""Training. The steps are those of numpy_ref/train.py; here is only what JAX changes.

Many updates make one dispatch: the examples lie on the device, a loop there takes one batch after another, and the host
only hears of it at the end. The loop runs a number of times that is data, not shape, so that one compilation serves
every stretch of a run.

The buffers of parameters and optimizer state are donated: an update overwrites the last one's memory. What `fit` yields
is a copy that stays valid, and while the host looks at it the device is already at work on the next stretch.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

from common import evaluation, params, random, tree
from common.config import ClassifierConfig, DigitsConfig, ModelConfig, TrainConfig
from common.data import digits
from common.data.batching import AnyExamples, Examples, check
from common.errors import UserError
from common.evaluation import Evaluation, Member
from common.run import AnyData, History, TrainState
from common.types import AnyArray, Tree
from jax_impl import family, optim
from jax_impl.device import loop, precision, setup
from jax_impl.models import classifier
from jax_impl.ops import softmax


def init(model: ModelConfig, train: TrainConfig, dtype: DTypeLike = np.float32) -> TrainState:
    """The state before the first update: fresh parameters from the run's seed."""
    drawn = params.init(random.fold_in(random.key(train.seed), 0), model, dtype)
    fresh = tree.map(jnp.asarray, drawn)
    return TrainState(fresh, optim.init(fresh, train), 0, History())


@partial(jax.jit, static_argnames="model")
def loss_and_grads(
    params: Tree, examples: AnyExamples, *, model: ModelConfig, key: jax.Array | None = None
) -> tuple[jax.Array, Tree, jax.Array]:
    """Mean loss (nats), its gradient for every parameter, and the logits of a batch. A key means dropout."""

    def loss_fn(params):
        logits = family.logits(params, examples, model=model, key=key)
        return family.loss(logits, examples), logits

    (loss, logits), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    return loss, grads, logits


@partial(jax.jit, static_argnames=("model", "train"))
def train_step(
    params: Tree,
    opt: dict,
    examples: AnyExamples,
    *,
    lr: float,
    model: ModelConfig,
    train: TrainConfig,
    key: jax.Array | None = None,
) -> tuple[Tree, dict, jax.Array, jax.Array]:
    """One update: new parameters, new optimizer state, and the batch's loss and accuracy before the update."""
    loss, grads, logits = loss_and_grads(precision.lower(params, train.dtype), examples, model=model, key=key)
    new_params, new_opt = optim.update(params, precision.like(grads, params), opt, lr=lr, config=train)
    accuracy = jnp.mean(family.right(logits, examples), dtype=loss.dtype)
    return new_params, new_opt, loss, accuracy


@partial(jax.jit, static_argnames=("model", "train"), donate_argnums=0)
def _updates(
    carry: Any,
    examples: AnyExamples,
    order: AnyArray,
    lrs: AnyArray,
    n: int,
    first: int = 0,
    key: AnyArray | None = None,
    *,
    model: ModelConfig,
    train: TrainConfig,
):
    """`n` updates from number `first` on: the state after them, a copy of it for the host, the figures of each."""
    step = partial(train_step, model=model, train=train)
    carry, figures = loop.updates(step, carry, examples, order, lrs, n, first, key)
    return carry, carry, figures


def fit(
    state: TrainState, data: AnyData, *, model: ModelConfig, train: TrainConfig, every: int = 50
) -> Iterator[TrainState]:
    """Train from `state` to the end of the run, yielding the state after every `every` updates and after each epoch.

    An epoch's last state comes with its record in `history.epochs` and with `best` up to date. Raises UserError if the
    loss is no longer a finite number.
    """
    check(data.train, model)
    examples = type(data.train)(*map(jnp.asarray, data.train))
    carry = jax.tree.map(jnp.copy, (state.params, state.opt))
    key = random.fold_in(random.key(train.seed), 3) if getattr(model, "dropout", 0.0) else None
    program = replace(train, seed=0)  # the program is the same for every seed: compile it once for a population
    queue = []
    for start, stop in loop.stretches(state.step, train, every):
        order, lrs = loop.plan(start, stop, train, every, jax.tree.leaves(carry)[0].dtype)
        carry, kept, figures = _updates(
            carry, examples, order, lrs, stop - start, start, key, model=model, train=program
        )
        queue.append((stop, kept, figures[: stop - start]))
        if len(queue) > 1:
            state = _arrive(state, *queue.pop(0), data, model=model, train=train)
            yield state
    for stretch in queue:
        yield _arrive(state, *stretch, data, model=model, train=train)


def _arrive(
    state: TrainState,
    step: int,
    kept: Any,
    figures: jax.Array,
    data: AnyData,
    *,
    model: ModelConfig,
    train: TrainConfig,
) -> TrainState:
    """Take what the device has finished into the run's state; waits for it."""
    losses, accuracies = np.asarray(figures, np.float64).T.tolist()
    for i, loss in enumerate(losses):
        if not math.isfinite(loss):
            at = state.step + i + 1
            raise UserError(f"the loss of update {at} is {loss}: training has diverged; try a smaller --lr")
    params, opt = kept
    arrived = TrainState(params, opt, step, state.history.with_updates(losses, accuracies), state.best)
    if step % train.steps_per_epoch == 0:
        return _end_of_epoch(arrived, data, model=model, train=train)
    return arrived


def _end_of_epoch(state: TrainState, data: AnyData, *, model: ModelConfig, train: TrainConfig) -> TrainState:
    found = evaluate(state.params, data.validation, model=model)
    return evaluation.end_of_epoch(state, found, train.steps_per_epoch)


_answers = jax.jit(loop.answers, static_argnames="model")


def evaluate(params: Tree, examples: AnyExamples, *, model: ModelConfig) -> Evaluation:
    """Loss, accuracy in all and by operation, and predictions, over any number of examples.

    The last batch is filled up with its own first rows, so that every batch has the shape that was compiled.
    """
    check(examples, model)
    losses, counts, predictions = [], [], []
    n, rows = len(examples.targets), evaluation.rows_at_once(examples)
    for start in range(0, n, rows):
        taken = np.arange(start, start + rows) % n
        found = _answers(params, examples.take(taken), model=model)
        losses_B, counts_B, predictions_B = (np.asarray(part)[: n - start] for part in found)
        losses.append(losses_B.astype(np.float64))
        counts.append(counts_B)
        predictions.append(predictions_B)
    mean = np.average(np.concatenate(losses), weights=np.concatenate(counts))
    return evaluation.judge(float(mean), np.concatenate(predictions), examples)


def predict(params: Tree, tokens_BT: AnyArray, mask_BT: AnyArray, *, model: ClassifierConfig) -> jax.Array:
    """The probability of every token as the answer, shape (B, V), for padded token ids and their mask, both (B, T)."""
    if not isinstance(tokens_BT, jax.core.Tracer):  # inside another program there are no values to check
        check(Examples(tokens_BT, mask_BT, tokens_BT), model)
    return _probabilities(params, tokens_BT, mask_BT, model=model)


@partial(jax.jit, static_argnames="model")
def _probabilities(params: Tree, tokens_BT: AnyArray, mask_BT: AnyArray, *, model: ClassifierConfig) -> jax.Array:
    logits_BC = classifier.forward(params, tokens_BT=tokens_BT, mask_BT=mask_BT, config=model)
    return softmax.forward(logits_BC)


def population(
    seeds: Sequence[int],
    task: DigitsConfig,
    *,
    model: ClassifierConfig,
    train: TrainConfig,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Member]:
    """Train one model for each seed, on one split, and judge each; `progress(updates done, of how many)`.

    All at once on an accelerator, one after another on a CPU: whichever is faster there (benchmarks/README.md).
    """
    if setup.is_accelerator():
        from jax_impl.device import population as together

        yield from together.fit_together(seeds, task, model=model, train=train, progress=progress)
        return
    for number, seed in enumerate(seeds):
        one = replace(train, seed=seed)
        data = digits.load(task, seed=seed, examples=train.examples)
        for state in fit(init(model, one), data, model=model, train=one):
            if progress:
                progress(number * train.steps + state.step, len(seeds) * train.steps)
        assert state.best is not None
        yield Member(seed, state.best.epoch, evaluate(state.best.params, data.test, model=model))
