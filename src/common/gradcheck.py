"""Two ways to find a derivative without deriving anything, to hold a hand-written backward against.

Central differences: (f(x + h) - f(x - h)) / 2h. The error falls with h^2 until rounding, which grows with 1/h, takes
over: about 1e-9 is the best that float64 gives, near h = 1e-5. Any function will do.

Complex step: Im f(x + ih) / h. Nothing is subtracted, so h can be 1e-30 and the result is right to the last digits.
The function has to be analytic: abs, max, casts to float and `np.var` on complex numbers silently give nonsense, which
is why the NumPy twin takes its comparisons from the real part. Squire and Trapp 1998.

An error is relative to the largest entry of the tensor's gradient, floored at 1e-3 of the largest in the whole tree: a
tensor whose gradient is zero up to rounding is not asked for digits it cannot have.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from common import random, tree
from common.types import Array, Key, Tree

Loss = Callable[[Tree], complex]
"""A scalar function of a tree, in float64 for differences, in complex128 too for the complex step."""

FLOOR = 1e-3


class Row(NamedTuple):
    """One tensor's verdict."""

    name: str
    error: float
    """Largest difference over the entries (or directions) tried, relative as described above."""
    tried: int
    """How many entries were tried."""


def complex_step(fn: Loss, at: Tree, direction: Tree, h: float = 1e-30) -> float:
    """The derivative of `fn` at `at` along `direction` (a tree of the same form), by one complex evaluation."""
    moved = tree.map(lambda x, d: x.astype(np.complex128) + 1j * h * d, at, direction)
    return float(np.imag(fn(moved)) / h)


def central_difference(fn: Loss, at: Tree, direction: Tree, h: float = 1e-5) -> float:
    """The derivative of `fn` at `at` along `direction`, by two evaluations."""
    up = fn(tree.map(lambda x, d: x + h * d, at, direction))
    down = fn(tree.map(lambda x, d: x - h * d, at, direction))
    return float(np.real(up - down) / (2 * h))


def check(
    fn: Loss,
    at: Tree,
    grads: Tree,
    *,
    method: Callable[..., float] = complex_step,
    h: float | None = None,
    key: Key | None = None,
    entries: int | None = None,
) -> list[Row]:
    """Hold a gradient tree against `method` (`complex_step` or `central_difference`), tensor by tensor.

    Every entry of every tensor is tried; with `entries`, that many of each tensor, drawn with `key`. `at` and `grads`
    are float64 trees of one form; raises ValueError if they are not.
    """
    wanted, found = _matched(at, grads)
    if any(x.dtype != np.float64 for x in (*wanted.values(), *found.values())):
        raise ValueError("derivatives are checked in float64: use tree.cast(params, np.float64) first")
    top = max((float(np.max(np.abs(g), initial=0.0)) for g in found.values()), default=0.0)
    options = {} if h is None else {"h": h}
    out = []
    for number, (name, x) in enumerate(wanted.items()):
        places = _places(x, entries, random.fold_in(random.key(0) if key is None else key, number))
        scale = max(float(np.max(np.abs(found[name]))), FLOOR * top) or 1.0
        numeric = [method(fn, at, _one_hot(at, name, place), **options) for place in places]
        exact = [float(found[name].flat[place]) for place in places]
        error = _number(float(np.max(np.abs(np.subtract(numeric, exact)))) / scale)
        out.append(Row(name, error, len(places)))
    return out


def _matched(at: Tree, grads: Tree) -> tuple[dict[str, Array], dict[str, Array]]:
    wanted, found = tree.named(at), tree.named(grads)
    if {n: np.shape(x) for n, x in wanted.items()} != {n: np.shape(g) for n, g in found.items()}:
        raise ValueError("the two trees have not the same names and shapes")
    return wanted, found


def _number(error: float) -> float:
    """Infinity for NaN: `max` and `<=` would let a gradient that is not a number pass."""
    return math.inf if math.isnan(error) else error


def _places(x: Array, entries: int | None, key: Key) -> list[int]:
    if entries is None or entries >= x.size:
        return list(range(x.size))
    return random.permutation(key, x.size)[:entries].tolist()


def _one_hot(at: Tree, name: str, place: int) -> Tree:
    flat = {n: np.zeros(np.shape(x)) for n, x in tree.items(at)}
    flat[name].flat[place] = 1.0
    return tree.build(flat)


def difference(found: Tree, wanted: Tree) -> dict[str, float]:
    """The largest difference of each tensor, relative to its largest entry, floored at 1e-3 of the largest of all.

    Raises ValueError if the trees have not the same names and shapes.
    """
    b, a = _matched(wanted, found)
    top = max(float(np.max(np.abs(x), initial=0.0)) for x in b.values())
    return {
        name: _number(
            float(np.max(np.abs(np.asarray(a[name]) - b[name]), initial=0.0))
            / (max(float(np.max(np.abs(b[name]), initial=0.0)), FLOOR * top) or 1.0)
        )
        for name in b
    }
