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
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.data.batching import Examples, rows
from common.data.digits import Digits
from common.errors import UserError
from common.evaluation import Evaluation, Member
from common.run import Best, History, TrainState
from common.schedule import learning_rate
from common.types import Array, Tree
from numpy_ref import optim
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy, softmax


def init(model: ClassifierConfig, train: TrainConfig, dtype: DTypeLike = np.float32) -> TrainState:
    """The state before the first update: fresh parameters from the run's seed."""
    fresh = params.init(random.fold_in(random.key(train.seed), 0), model, dtype)
    return TrainState(fresh, optim.init(fresh, train), 0, History())


def loss_and_grads(params: Tree, examples: Examples, *, model: ClassifierConfig) -> tuple[Array, Tree, Array]:
    """Mean loss (nats), its gradient for every parameter, and the logits (B, C) of a batch."""
    logits_BC, saved_model = classifier.forward_pooled(
        params, tokens_BT=examples.tokens, mask_BT=examples.mask, config=model
    )
    loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=examples.targets)
    dlogits_BC = cross_entropy.backward(np.ones_like(loss), saved_loss)
    return loss, classifier.backward(dlogits_BC, saved_model), logits_BC


def train_step(
    params: Tree, opt: dict, examples: Examples, *, lr: float, model: ClassifierConfig, train: TrainConfig
) -> tuple[Tree, dict, float, float]:
    """One update: new parameters, new optimizer state, and the batch's loss and accuracy before the update."""
    loss, grads, logits_BC = loss_and_grads(params, examples, model=model)
    new_params, new_opt = optim.update(params, grads, opt, lr=lr, config=train)
    accuracy = float(np.mean(np.argmax(logits_BC, axis=-1) == examples.targets))
    return new_params, new_opt, float(loss), accuracy


def fit(
    state: TrainState, data: Digits, *, model: ClassifierConfig, train: TrainConfig, every: int = 1
) -> Iterator[TrainState]:
    """Train from `state` to the end of the run, yielding the state after every `every` updates and after each epoch.

    An epoch's last state comes with its record in `history.epochs` and with `best` up to date. Raises UserError if the
    loss is no longer a finite number.
    """
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
    state: TrainState, examples: Examples, order: Array, *, model: ClassifierConfig, train: TrainConfig
) -> TrainState:
    params, opt, step, history = state.params, state.opt, state.step, state.history
    for taken in order:
        lr = learning_rate(step, steps=train.steps, lr=train.lr, schedule=train.schedule, warmup=train.warmup)
        params, opt, loss, accuracy = train_step(params, opt, examples.take(taken), lr=lr, model=model, train=train)
        if not math.isfinite(loss):
            raise UserError(f"the loss of update {step + 1} is {loss}: training has diverged; try a smaller --lr")
        history.loss.append(loss)
        history.accuracy.append(accuracy)
        step += 1
    return TrainState(params, opt, step, history, state.best)


def _end_of_epoch(state: TrainState, data: Digits, *, model: ClassifierConfig, train: TrainConfig) -> TrainState:
    found = evaluate(state.params, data.validation, model=model)
    epoch, n = state.step // train.steps_per_epoch, train.steps_per_epoch
    record = {"epoch": epoch, "step": state.step, "loss": found.loss, "accuracy": found.accuracy, "by_op": found.by_op}
    record["train_loss"] = float(np.mean(state.history.loss[-n:]))
    record["train_accuracy"] = float(np.mean(state.history.accuracy[-n:]))
    state.history.epochs.append(record)
    best = state.best
    if evaluation.better(best, found):
        best = Best(state.params, epoch, state.step, found.accuracy, found.loss)
    return TrainState(state.params, state.opt, state.step, state.history, best)


def evaluate(params: Tree, examples: Examples, *, model: ClassifierConfig, batch_size: int = 512) -> Evaluation:
    """Loss, accuracy in all and by operation, and predictions, over any number of examples."""
    losses, predictions = [], []
    for start in range(0, len(examples.targets), batch_size):
        part = examples.take(slice(start, start + batch_size))
        logits_BC, _ = classifier.forward_pooled(params, tokens_BT=part.tokens, mask_BT=part.mask, config=model)
        loss, _ = cross_entropy.forward(logits_BC, targets_B=part.targets)
        losses.append(float(loss) * len(part.targets))
        predictions.append(np.argmax(logits_BC, axis=-1))
    return evaluation.judge(sum(losses) / len(examples.targets), np.concatenate(predictions), examples)


def predict(params: Tree, tokens_BT: Array, mask_BT: Array, *, model: ClassifierConfig) -> Array:
    """The probability of every token as the answer, shape (B, V), for padded token ids and their mask, both (B, T)."""
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
