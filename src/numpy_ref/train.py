"""Training: batch, forward, loss, backward, update; again.

`fit` is a walk: it yields the state of the run after every few updates, and whoever drives it may look, save, or stop
by not asking for the next one. A run that is stopped and resumed goes the same way, bit for bit, since the batch and
the learning rate of an update depend on its number alone.

Lesson: lessons/08_training_loop.md    Twin: jax_impl/train.py
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike

from common import evaluation, params, random
from common.config import ClassifierConfig, DigitsConfig, ModelConfig, TrainConfig
from common.data import digits
from common.data.batching import AnyExamples, Examples, check, rows
from common.errors import UserError
from common.evaluation import Evaluation, Member
from common.run import AnyData, History, TrainState
from common.schedule import learning_rate
from common.types import Array, Key, Tree
from numpy_ref import family, optim
from numpy_ref.models import classifier
from numpy_ref.ops import softmax


def init(model: ModelConfig, train: TrainConfig, dtype: DTypeLike = np.float32) -> TrainState:
    """The state before the first update: fresh parameters from the run's seed."""
    fresh = params.init(random.fold_in(random.key(train.seed), 0), model, dtype)
    return TrainState(fresh, optim.init(fresh, train), 0, History())


def loss_and_grads(
    params: Tree, examples: AnyExamples, *, model: ModelConfig, key: Key | None = None
) -> tuple[Array, Tree, Array]:
    """Mean loss (nats), its gradient for every parameter, and the logits of a batch. A key means dropout."""
    logits, saved_model = family.logits(params, examples, model=model, key=key)
    loss, saved_loss = family.loss(logits, examples)
    dlogits = family.loss_backward(np.ones_like(loss), saved_loss, rank=logits.ndim)
    return loss, family.logits_backward(dlogits, saved_model, model=model), logits


def train_step(
    params: Tree,
    opt: dict,
    examples: AnyExamples,
    *,
    lr: float,
    model: ModelConfig,
    train: TrainConfig,
    key: Key | None = None,
) -> tuple[Tree, dict, float, float]:
    """One update: new parameters, new optimizer state, and the batch's loss and accuracy before the update."""
    loss, grads, logits = loss_and_grads(params, examples, model=model, key=key)
    new_params, new_opt = optim.update(params, grads, opt, lr=lr, config=train)
    accuracy = float(np.mean(family.right(logits, examples)))
    return new_params, new_opt, float(loss), accuracy


def fit(
    state: TrainState, data: AnyData, *, model: ModelConfig, train: TrainConfig, every: int = 1
) -> Iterator[TrainState]:
    """Train from `state` to the end of the run, yielding the state after every `every` updates and after each epoch.

    An epoch's last state comes with its record in `history.epochs` and with `best` up to date. Raises UserError if the
    loss is no longer a finite number.
    """
    check(data.train, model)
    while state.step < train.steps:
        epoch, place = divmod(state.step, train.steps_per_epoch)
        order = rows(train, epoch)
        while place < train.steps_per_epoch:
            stop = min(place + every - place % every, train.steps_per_epoch)
            state = _updates(state, data.train, order[place:stop], model=model, train=train)
            place = stop
            if place == train.steps_per_epoch:
                state = _end_of_epoch(state, data, model=model, train=train)
            yield state


def _updates(
    state: TrainState, examples: AnyExamples, order: Array, *, model: ModelConfig, train: TrainConfig
) -> TrainState:
    params, opt, step, losses, accuracies = state.params, state.opt, state.step, [], []
    for taken in order:
        lr = learning_rate(step, steps=train.steps, lr=train.lr, schedule=train.schedule, warmup=train.warmup)
        batch, key = examples.take(taken), _dropout_key(model, train, step)
        params, opt, loss, accuracy = train_step(params, opt, batch, lr=lr, model=model, train=train, key=key)
        if not math.isfinite(loss):
            raise UserError(f"the loss of update {step + 1} is {loss}: training has diverged; try a smaller --lr")
        losses.append(loss)
        accuracies.append(accuracy)
        step += 1
    return TrainState(params, opt, step, state.history.with_updates(losses, accuracies), state.best)


def _dropout_key(model: ModelConfig, train: TrainConfig, step: int) -> Key | None:
    """The key of an update's dropout masks, or None for a model without dropout."""
    if not getattr(model, "dropout", 0.0):
        return None
    return random.fold_in(random.fold_in(random.key(train.seed), 3), step)


def _end_of_epoch(state: TrainState, data: AnyData, *, model: ModelConfig, train: TrainConfig) -> TrainState:
    found = evaluate(state.params, data.validation, model=model)
    return evaluation.end_of_epoch(state, found, train.steps_per_epoch)


def evaluate(params: Tree, examples: AnyExamples, *, model: ModelConfig) -> Evaluation:
    """Loss, accuracy in all and by operation, and predictions, over any number of examples."""
    check(examples, model)
    losses, predictions, counts = [], [], []
    rows = evaluation.rows_at_once(examples)
    for start in range(0, len(examples.targets), rows):
        part = examples.take(slice(start, start + rows))
        logits, _ = family.logits(params, part, model=model)
        loss, _ = family.loss(logits, part)
        losses.append(float(loss))
        counts.append(part.targets.size if logits.ndim == 2 else int(part.weights.sum()))
        predictions.append(np.argmax(logits, axis=-1))
    mean = float(np.average(losses, weights=counts))
    return evaluation.judge(mean, np.concatenate(predictions), examples)


def predict(params: Tree, tokens_BT: Array, mask_BT: Array, *, model: ClassifierConfig) -> Array:
    """The probability of every token as the answer, shape (B, V), for padded token ids and their mask, both (B, T)."""
    check(Examples(tokens_BT, mask_BT, tokens_BT), model)
    logits_BC, _ = classifier.forward(params, tokens_BT=tokens_BT, mask_BT=mask_BT, config=model)
    probabilities_BC, _ = softmax.forward(logits_BC)
    return probabilities_BC


def population(
    seeds: Sequence[int],
    task: DigitsConfig,
    *,
    model: ClassifierConfig,
    train: TrainConfig,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Member]:
    """Train one model for each seed, on one split, and judge each; `progress(updates done, of how many)`."""
    for number, seed in enumerate(seeds):
        one = replace(train, seed=seed)
        data = digits.load(task, seed=seed, examples=train.examples)
        for state in fit(init(model, one), data, model=model, train=one):
            if progress:
                progress(number * train.steps + state.step, len(seeds) * train.steps)
        assert state.best is not None
        yield Member(seed, state.best.epoch, evaluate(state.best.params, data.test, model=model))
