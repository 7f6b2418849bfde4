"""Graders of lesson 10."""

from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from common import random


def per_example(answer: ModuleType) -> str | None:
    rng = np.random.default_rng(0)
    weights, xs, ys = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (4, 3), (4, 2)))

    calls = []

    def loss(w, x, y):
        calls.append(1)
        return jnp.sum((jnp.tanh(x @ w) - y) ** 2)

    wanted = np.array([np.linalg.norm(jax.grad(loss)(weights, x, y)) for x, y in zip(xs, ys, strict=True)])
    calls.clear()
    found = np.asarray(answer.lengths(loss, weights, xs, ys))
    if found.shape != wanted.shape:
        return f"one number was wanted for each example, {wanted.shape}, not {found.shape}"
    if np.allclose(found, wanted**2, rtol=1e-4):
        return "these are the squares: take the root"
    if not np.allclose(found, wanted, rtol=1e-4):
        return "the lengths are not those of the examples' gradients"
    return f"the loss ran {len(calls)} times for 4 examples: vmap needs it once" if len(calls) >= len(xs) else None


def scan(answer: ModuleType) -> str | None:
    def loss(w):
        return jnp.sum((w - jnp.array([1.0, -2.0])) ** 2)

    w, values = jnp.array([3.0, 3.0]), []
    for _ in range(8):
        values.append(float(loss(w)))
        w = w - 0.1 * jax.grad(loss)(w)
    pair = answer.descend(loss, jnp.array([3.0, 3.0]), 0.1, 8)
    if not (isinstance(pair, (tuple, list)) and [np.shape(part) for part in pair] == [(2,), (8,)]):
        return "return a pair: the last w, and the loss before each of the 8 steps"
    last, losses = (np.asarray(part) for part in pair)
    if losses[-1] > losses[0]:
        return "it goes uphill: the gradient is subtracted"
    if np.allclose(losses[:-1], values[1:], rtol=1e-4):
        return "these are the losses after each step: they were wanted before it"
    if not (np.allclose(last, w, rtol=1e-4) and np.allclose(losses, values, rtol=1e-4)):
        return "the steps are not those of gradient descent"
    sizes = [len(jax.make_jaxpr(lambda w, n=n: answer.descend(loss, w, 0.1, n))(jnp.zeros(2)).eqns) for n in (8, 64)]
    if sizes[1] > sizes[0]:
        return f"the loop is written out: 64 steps make a program of {sizes[1]} operations, 8 one of {sizes[0]}"
    return None


def same_mask(answer: ModuleType) -> str | None:
    for seed, p, shape in ((0, 0.9, (50, 40)), (1, 0.3, (2000,)), (2, 0.5, (3, 4, 50))):
        key = random.fold_in(random.key(seed), 5)
        wanted = random.bernoulli(key, p, shape)
        for wide in (False, True):
            with jax.enable_x64(wide):
                given = answer.mask(key, p, shape)
            found = np.asarray(given)
            if found.shape != wanted.shape or found.dtype != bool:
                return f"a mask of bool with shape {shape} was wanted, not {found.dtype} {found.shape}"
            if np.array_equal(found, ~wanted):
                return "the mask is inverted: True is what is kept, with probability p"
            if not np.array_equal(found, wanted):
                return "other numbers than NumPy's: say jnp.float32, whatever the default is"
            if not isinstance(given, jax.Array):
                return "this is NumPy's own mask: draw it with jax.random"
    return None


def repair_pure(answer: ModuleType) -> str | None:
    xs = [2.0, 4.0, 9.0]
    for again in (False, True):
        state, found = answer.start(), []
        for x in xs:
            state, mean = answer.update(state, x)
            found.append(float(mean))
        if again and found != [2.0, 3.0, 5.0]:
            return "the second run remembers the first: something is kept outside the state"
        if found[1:] == [2.0, 3.0]:
            return "the mean leaves out the newest number"
        if found != [2.0, 3.0, 5.0]:
            return f"the means of 2, 4, 9 are 2, 3, 5 so far, not {found}"
    _, means = jax.lax.scan(answer.update, jax.tree.map(float, answer.start()), jnp.array(xs))
    return None if np.allclose(means, [2.0, 3.0, 5.0]) else "inside lax.scan it gives other means"
