"""Many models trained at once: N parameter trees stacked on a new first axis, one program with `vmap` over it.

Each member has its own seed and so its own parameters, examples and order of batches; all share the split. A member
ends where it would have ended alone, up to rounding. On an accelerator, which a model this small leaves idle, N models
cost little more than one; on a CPU they cost N times one, and jax_impl/train.py trains them one after another instead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

from common import evaluation
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.data.batching import Examples
from common.errors import UserError
from common.evaluation import Evaluation, Member
from common.run import Best
from common.types import Tree
from jax_impl import train as one
from jax_impl.device import loop


@partial(jax.jit, static_argnames=("model", "train"), donate_argnums=0)
def _updates(carry, examples, order, lrs, n, *, model, train):
    step = partial(one.train_step, model=model, train=train)
    run = partial(loop.updates, step)  # without a key: the classifier has no dropout
    return jax.vmap(run, in_axes=(0, 0, 0, None, None))(carry, examples, order, lrs, n)


@partial(jax.jit, static_argnames="model")
def _answers(params: Tree, examples: Examples, *, model: ClassifierConfig) -> tuple[jax.Array, jax.Array, jax.Array]:
    return jax.vmap(lambda p: loop.answers(p, examples, model))(params)


def fit_together(
    seeds: Sequence[int],
    task: DigitsConfig,
    *,
    model: ClassifierConfig,
    train: TrainConfig,
    every: int = 50,
    dtype: DTypeLike = np.float32,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Member]:
    """Train one model for each seed, all at once; yields them at the end. `progress(updates done, of how many)`."""
    trains = [replace(train, seed=seed) for seed in seeds]
    data = [digits.load(task, seed=t.seed, examples=t.examples) for t in trains]
    starts = [one.init(model, t, dtype) for t in trains]
    carry = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[(s.params, s.opt) for s in starts])
    examples = Examples(*(jnp.stack(part) for part in zip(*(d.train for d in data), strict=True)))
    best: list[Best | None] = [None] * len(seeds)
    best_params = jax.tree.map(jnp.copy, carry[0])
    for start, stop in loop.stretches(0, train, every):
        plans = [loop.plan(start, stop, t, every, jax.tree.leaves(carry)[0].dtype) for t in trains]
        order = np.stack([rows for rows, _ in plans])
        carry, figures = _updates(carry, examples, order, plans[0][1], stop - start, model=model, train=train)
        diverged = ~np.isfinite(np.asarray(figures)[:, : stop - start, 0]).all(axis=1)
        if diverged.any():
            seed = seeds[int(diverged.argmax())]
            raise UserError(f"seed {seed} has diverged between updates {start + 1} and {stop}; try a smaller --lr")
        if stop % train.steps_per_epoch == 0:
            found = _evaluate(carry[0], data[0].validation, model)
            won = [evaluation.better(b, f) for b, f in zip(best, found, strict=True)]
            best = [
                Best(None, stop // train.steps_per_epoch, stop, f.accuracy, f.loss) if w else b
                for b, f, w in zip(best, found, won, strict=True)
            ]
            best_params = _choose(np.array(won), carry[0], best_params)
        if progress:
            progress(stop, train.steps)
    for seed, kept, f in zip(seeds, best, _evaluate(best_params, data[0].test, model), strict=True):
        yield Member(seed, kept.epoch if kept else 0, f)


@jax.jit
def _choose(won: jax.Array, new: Tree, old: Tree) -> Tree:
    return jax.tree.map(lambda a, b: jnp.where(won.reshape(-1, *[1] * (a.ndim - 1)), a, b), new, old)


def _evaluate(params: Tree, examples: Examples, model: ClassifierConfig) -> list[Evaluation]:
    losses_NB, _, predictions_NB = map(np.asarray, _answers(params, examples, model=model))
    pairs = zip(losses_NB, predictions_NB, strict=True)
    return [evaluation.judge(losses.mean(dtype=np.float64), answers, examples) for losses, answers in pairs]
