"""Prove a gradient: hold what backward says against what the loss does, on a float64 copy of weights and batch.

Two witnesses that derive nothing (common/gradcheck.py): the complex step, right to the last digits, gives the verdict;
central differences, which anyone can follow, lose half of the digits and stumble over the kinks of ReLU. A kink is
called one only where the complex step agrees and units are seen to switch between w - h and w + h.

All functions are of data; nothing here is drawn.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from common import gradcheck, random, tree
from common.config import ModelConfig
from common.data.batching import AnyExamples
from common.trace import Trace
from common.types import Array, Key, Tree
from console.stepper import moment
from numpy_ref import family

EXACT = 1e-11
"""Largest relative error of an analytic derivative beside the complex step's: the rounding of float64, and room."""
ROUGH = 1e-6
"""The same beside central differences, beyond what rounding the loss does to them."""
H, SMALLER = 1e-5, (1e-6, 1e-7)
"""The step of central differences, and those tried where a kink may lie within it."""
OK, KINK, ZERO, BAD = "ok", "kink", "zero", "BAD"


class Entry(NamedTuple):
    """One weight's derivative, five ways."""

    name: str
    at: tuple[int, ...]
    value: float
    above: float
    """L(w + h), nats."""
    below: float
    """L(w - h), nats."""
    h: float
    numeric: float
    complex_step: float
    analytic: float
    error: float
    """Analytic beside complex step, relative to the tensor's largest entry (floored, common/gradcheck.py)."""
    rough_error: float
    """Analytic beside numeric, in the same unit."""
    rough_bar: float
    """What rough_error may be: ROUGH and the rounding of the two losses."""
    switched: int
    """ReLU units that are on at one of w - h and w + h and off at the other, at the first h; counted where it is in
    doubt."""
    verdict: str


class Tensor(NamedTuple):
    """The gradient of one tensor: its worst entry of those tried, and one random direction through all of them."""

    name: str
    shape: tuple[int, ...]
    tried: int
    """How many entries."""
    worst: Entry | None
    """None where no entry was tried."""
    along: float
    """Relative error along the direction: of the length of the tensor's gradient, floored."""
    verdict: str


@dataclass(frozen=True)
class Problem:
    """A loss as a function of its weights: one model, one batch, dropout off or keyed the same every time."""

    params: Tree
    """Of any float dtype; proved on a float64 copy."""
    examples: AnyExamples
    model: ModelConfig
    key: Key | None = None

    @cached_property
    def at(self) -> Tree:
        return tree.cast(self.params, np.float64)

    def loss(self, params: Tree) -> Any:
        """Mean over what counts, nats; complex where the weights are."""
        logits, _ = moment.forward(params, self.examples, self.model, self.key)
        return family.loss(logits, self.examples)[0]

    def backward(self, params: Tree) -> tuple[Array, Array, Tree]:
        """Logits, loss and gradients at those weights, by `numpy_ref` as it is now."""
        logits, saved_model = moment.forward(params, self.examples, self.model, self.key)
        loss, saved_loss = family.loss(logits, self.examples)
        dlogits = family.loss_backward(np.ones_like(loss), saved_loss, rank=logits.ndim)
        return logits, loss, family.logits_backward(dlogits, saved_model, model=self.model)

    @cached_property
    def grads(self) -> dict[str, Array]:
        """What backward, as it was when this was first asked, says of every tensor, by name."""
        return tree.named(self.backward(self.at)[2])

    @cached_property
    def largest(self) -> float:
        """The largest entry of all gradients."""
        return max(float(np.max(np.abs(g), initial=0.0)) for g in self.grads.values())

    @cached_property
    def longest(self) -> float:
        """The length of the longest gradient."""
        return max(float(np.linalg.norm(g)) for g in self.grads.values())

    def unit(self, name: str) -> float:
        """What an error in that tensor is relative to."""
        return max(float(np.max(np.abs(self.grads[name]))), gradcheck.FLOOR * self.largest) or 1.0

    def moved(self, name: str, by: Array) -> Tree:
        """The weights with one tensor moved."""
        return tree.build(tree.named(self.at) | {name: tree.named(self.at)[name] + by})


def entry(problem: Problem, name: str, index: tuple[int, ...]) -> Entry:
    """Prove one entry. Raises KeyError and IndexError where there is none."""
    value, analytic = float(tree.named(problem.at)[name][index]), float(problem.grads[name][index])
    exact = _complex_step(problem, name, _one_hot(problem, name, index))
    unit = problem.unit(name)
    error = gradcheck._number(abs(analytic - exact) / unit)
    first = _difference(problem, name, index, H)
    one = Entry(name, index, value, *first, exact, analytic, error, *_rough(first, analytic, unit), 0, OK)
    if error > EXACT:
        return one._replace(verdict=BAD)
    if one.rough_error > one.rough_bar:
        return _retried(problem, one, unit)
    return one._replace(verdict=ZERO) if zero(problem, name) or analytic == exact == 0.0 else one


def _retried(problem: Problem, one: Entry, unit: float) -> Entry:
    """Smaller steps, where the differences alone disagree: a kink within h goes away with it."""
    switched = _switched(problem, one.name, one.at, H)
    tries = [one]
    for h in SMALLER:
        found = _difference(problem, one.name, one.at, h)
        again = Entry(
            one.name, one.at, one.value, *found, one.complex_step, one.analytic, one.error,
            *_rough(found, one.analytic, unit), switched, KINK if switched else OK,
        )  # fmt: skip
        if again.rough_error <= again.rough_bar:
            return again
        tries.append(again)
    best = min(tries, key=lambda t: t.rough_error / t.rough_bar)
    return best._replace(switched=switched, verdict=KINK if switched else BAD)


def tensor(problem: Problem, name: str, *, entries: int = 4, key: Key | None = None) -> Tensor:
    """Prove a tensor: its largest entry, some at random, and one direction through all. Raises KeyError.

    Without entries the direction alone is tried: one evaluation of the loss, in which every entry has its part.
    """
    g = problem.grads[name]
    drawn = random.permutation(random.key(0) if key is None else key, g.size)[:entries].tolist()
    places = dict.fromkeys([int(np.argmax(np.abs(g))), *drawn])
    indices = [tuple(int(i) for i in np.unravel_index(place, g.shape)) for place in list(places)[:entries]]
    proved = [entry(problem, name, index) for index in indices]
    direction = random.normal(random.fold_in(random.key(1) if key is None else key, 1), g.shape)
    length = max(float(np.linalg.norm(g)), gradcheck.FLOOR * problem.longest) or 1.0
    apart = abs(float(np.sum(g * direction)) - _complex_step(problem, name, direction)) / length
    along = gradcheck._number(apart)
    worst = max(proved, key=lambda one: (one.verdict == BAD, one.verdict == KINK, one.error), default=None)
    return Tensor(name, g.shape, len(proved), worst, along, _verdict(problem, name, proved, along))


def _verdict(problem: Problem, name: str, proved: list[Entry], along: float) -> str:
    said = {one.verdict for one in proved}
    if BAD in said or along > EXACT:
        return BAD
    if zero(problem, name) or not np.any(problem.grads[name]):
        return ZERO
    return KINK if KINK in said else OK


def every(problem: Problem, *, entries: int = 2) -> Iterator[Tensor]:
    """Prove all tensors, one after another, in tree order."""
    for number, name in enumerate(problem.grads):
        yield tensor(problem, name, entries=entries, key=random.fold_in(random.key(0), number))


def seconds(problem: Problem) -> float:
    """How long one complex evaluation of the loss takes: the unit of all this."""
    begun = time.monotonic()
    name = next(iter(problem.grads))
    _complex_step(problem, name, np.ones(problem.grads[name].shape))
    return time.monotonic() - begun


def zero(problem: Problem, name: str) -> bool:
    """Whether a tensor's gradient is zero by mathematics: a key bias adds the same to all scores of a query, and
    softmax does not see that. Not where keys are turned by their positions after it was added."""
    return name.endswith(".k.b") and not hasattr(problem.model, "rope_base")


def _one_hot(problem: Problem, name: str, index: tuple[int, ...]) -> Array:
    out = np.zeros(problem.grads[name].shape)
    out[index] = 1.0
    return out


def _complex_step(problem: Problem, name: str, direction: Array, h: float = 1e-30) -> float:
    at = tree.named(problem.at)
    moved = {other: x.astype(np.complex128) for other, x in at.items()}
    return float(np.imag(problem.loss(tree.build(moved | {name: at[name] + 1j * h * direction}))) / h)


def _difference(problem: Problem, name: str, index: tuple[int, ...], h: float) -> tuple[float, float, float, float]:
    """L(w + h), L(w - h), h, and their quotient."""
    by = _one_hot(problem, name, index) * h
    above, below = (float(problem.loss(problem.moved(name, sign * by))) for sign in (1, -1))
    return above, below, h, (above - below) / (2 * h)


def _rough(found: tuple[float, float, float, float], analytic: float, unit: float) -> tuple[float, float]:
    """The relative error of central differences, and the bar that rounding two losses of that size leaves them."""
    above, below, h, numeric = found
    rounding = 8 * np.finfo(np.float64).eps * max(abs(above), abs(below)) / h
    return gradcheck._number(abs(numeric - analytic) / unit), ROUGH + float(rounding) / unit


def _switched(problem: Problem, name: str, index: tuple[int, ...], h: float) -> int:
    """ReLU units that are on at one of w - h and w + h and off at the other."""
    by = _one_hot(problem, name, index) * h
    above, below = (_units(problem, problem.moved(name, sign * by)) for sign in (1, -1))
    return sum(int(np.sum(a != b)) for a, b in zip(above, below, strict=True))


def _units(problem: Problem, params: Tree) -> list[Array]:
    with Trace(params) as trace:
        problem.loss(params)
    return [call.locals["on"] for call in trace.calls if call.function.partition("#")[0] == "relu.forward"]
