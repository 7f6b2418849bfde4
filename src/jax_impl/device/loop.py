"""Many updates in one dispatch: which updates go together, and the loop that makes them on the device.

The loop runs a number of times that is data, not shape: one compilation serves every stretch of a run.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from common.config import ModelConfig, TrainConfig
from common.data.batching import AnyExamples, rows
from common.schedule import learning_rate
from common.types import Array, Tree
from jax_impl import family


def stretches(step: int, train: TrainConfig, every: int) -> Iterator[tuple[int, int]]:
    """From which update to which the device goes at a time: to the next multiple of `every`, or the epoch's end."""
    while step < train.steps:
        epoch, place = divmod(step, train.steps_per_epoch)
        stop = epoch * train.steps_per_epoch + min(place + every - place % every, train.steps_per_epoch)
        yield step, stop
        step = stop


def plan(start: int, stop: int, train: TrainConfig, every: int, dtype: Any) -> tuple[Array, Array]:
    """The rows (every, batch) and the learning rate (every,) of each update of a stretch, filled up with zeros."""
    epoch, place = divmod(start, train.steps_per_epoch)
    order = np.zeros((every, train.batch_size), np.int32)
    order[: stop - start] = rows(train, epoch)[place : place + stop - start]
    lrs = np.zeros(every, dtype)
    lrs[: stop - start] = [
        learning_rate(s, steps=train.steps, lr=train.lr, schedule=train.schedule, warmup=train.warmup)
        for s in range(start, stop)
    ]
    return order, lrs


def updates(
    step: Callable[..., Any],
    carry: tuple[Tree, dict],
    examples: AnyExamples,
    order: jax.Array,
    lrs: jax.Array,
    n: int,
    first: int = 0,
    key: jax.Array | None = None,
) -> tuple[tuple[Tree, dict], jax.Array]:
    """The first `n` updates of a plan that begins with update number `first`; `key`, if any, is for dropout.

    Returns new parameters and optimizer state, and the loss and accuracy of each update, (len(order), 2).
    """

    def one(i, so_far):
        params, opt, figures = so_far
        masks = {} if key is None else {"key": jax.random.fold_in(key, first + i)}
        params, opt, loss, accuracy = step(params, opt, examples.take(order[i]), lr=lrs[i], **masks)
        return params, opt, figures.at[i].set(jnp.stack([loss, accuracy]).astype(figures.dtype))

    figures = jnp.zeros((len(order), 2), lrs.dtype)
    params, opt, figures = jax.lax.fori_loop(0, n, one, (*carry, figures))
    return (params, opt), figures


def answers(params: Tree, examples: AnyExamples, model: ModelConfig) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Each example's mean loss, over how many tokens, both (B,), and the most probable tokens, (B,) or (B, T)."""
    logits = family.logits(params, examples, model=model)

    def one(logits, example):
        lifted = jax.tree.map(lambda leaf: leaf[None], example)
        return family.loss(logits[None], lifted)

    counts_B = jnp.ones(len(logits)) if logits.ndim == 2 else jnp.sum(examples.weights, axis=-1)
    return jax.vmap(one)(logits, examples), counts_B, jnp.argmax(logits, axis=-1)
