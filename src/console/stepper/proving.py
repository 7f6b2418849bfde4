"""Prove a gradient: hold what backward says against what the loss does, on a float64 copy of weights and batch.

Two witnesses that derive nothing (common/gradcheck.py): the complex step, right to the last digits, gives the verdict;
central differences, which anyone can follow, lose half of the digits and stumble over the kinks of ReLU. A kink is
called one only where the complex step agrees and units are seen to switch between w - h and w + h.

All functions are of data; nothing here is drawn.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from common import gradcheck, params, random, tree
from common.types import Key
from console.stepper import witnesses
from console.stepper.witnesses import Problem

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


def entry(problem: Problem, name: str, index: tuple[int, ...]) -> Entry:
    """Prove one entry. Raises KeyError and IndexError where there is none."""
    value, analytic = float(tree.named(problem.at)[name][index]), float(problem.grads[name][index])
    exact = witnesses.complex_step(problem, name, problem.one_hot(name, index))
    unit = problem.unit(name)
    error = gradcheck._number(abs(analytic - exact) / unit)
    first = witnesses.difference(problem, name, index, H)
    one = Entry(name, index, value, *first, exact, analytic, error, *_rough(first, analytic, unit), 0, OK)
    if error > EXACT:
        return one._replace(verdict=BAD)
    if one.rough_error > one.rough_bar:
        return _retried(problem, one, unit)
    return one._replace(verdict=ZERO) if zero(problem, name) or analytic == exact == 0.0 else one


def _retried(problem: Problem, one: Entry, unit: float) -> Entry:
    """Smaller steps, where the differences alone disagree: a kink within h goes away with it."""
    switched = witnesses.switched(problem, one.name, one.at, H)
    tries = [one]
    for h in SMALLER:
        found = witnesses.difference(problem, one.name, one.at, h)
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
    apart = abs(float(np.sum(g * direction)) - witnesses.complex_step(problem, name, direction)) / length
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


def every(problem: Problem, *, entries: int = 2, below: str = "") -> Iterator[Tensor]:
    """Prove the tensors whose names begin with `below`, which are all, one after another, in tree order."""
    for number, name in enumerate(problem.grads):
        if name.startswith(below):
            yield tensor(problem, name, entries=entries, key=random.fold_in(random.key(0), number))


def seconds(problem: Problem) -> float:
    """How long one complex evaluation of the loss takes: the unit of all this."""
    begun = time.monotonic()
    name = next(iter(problem.grads))
    witnesses.complex_step(problem, name, np.ones(problem.grads[name].shape))
    return time.monotonic() - begun


def zero(problem: Problem, name: str) -> bool:
    """Whether a tensor's gradient is zero by mathematics."""
    return name in params.without_gradient(problem.model)


def _rough(found: tuple[float, float, float, float], analytic: float, unit: float) -> tuple[float, float]:
    """The relative error of central differences, and the bar that rounding two losses of that size leaves them."""
    above, below, h, numeric = found
    rounding = 8 * np.finfo(np.float64).eps * max(abs(above), abs(below)) / h
    return gradcheck._number(abs(numeric - analytic) / unit), ROUGH + float(rounding) / unit
