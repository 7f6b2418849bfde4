"""What a loss does when its weights move: the two witnesses of a gradient, which derive nothing.

The complex step (common/gradcheck.py) is right to the last digits; central differences, which anyone can follow, lose
half of the digits and stumble over the kinks of ReLU, which are seen as units that switch between w - h and w + h.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from common import gradcheck, tree
from common.config import ModelConfig
from common.data.batching import AnyExamples
from common.trace import Trace
from common.types import Array, Key, Tree
from console.stepper import moment
from numpy_ref import family


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

    def one_hot(self, name: str, index: tuple[int, ...]) -> Array:
        """1 at one entry of a tensor, 0 elsewhere."""
        out = np.zeros(self.grads[name].shape)
        out[index] = 1.0
        return out

    def moved(self, name: str, by: Array) -> Tree:
        """The weights with one tensor moved."""
        return tree.build(tree.named(self.at) | {name: tree.named(self.at)[name] + by})


def complex_step(problem: Problem, name: str, direction: Array, h: float = 1e-30) -> float:
    """The derivative of the loss along a direction through one tensor."""
    at = tree.named(problem.at)
    moved = {other: x.astype(np.complex128) for other, x in at.items()}
    return float(np.imag(problem.loss(tree.build(moved | {name: at[name] + 1j * h * direction}))) / h)


def difference(problem: Problem, name: str, index: tuple[int, ...], h: float) -> tuple[float, float, float, float]:
    """L(w + h), L(w - h), h, and their quotient."""
    by = problem.one_hot(name, index) * h
    above, below = (float(problem.loss(problem.moved(name, sign * by))) for sign in (1, -1))
    return above, below, h, (above - below) / (2 * h)


def switched(problem: Problem, name: str, index: tuple[int, ...], h: float) -> int:
    """ReLU units that are on at one of w - h and w + h and off at the other."""
    by = problem.one_hot(name, index) * h
    above, below = (_units(problem, problem.moved(name, sign * by)) for sign in (1, -1))
    return sum(int(np.sum(a != b)) for a, b in zip(above, below, strict=True))


def _units(problem: Problem, params: Tree) -> list[Array]:
    with Trace(params) as trace:
        problem.loss(params)
    return [call.locals["on"] for call in trace.calls if call.function.partition("#")[0] == "relu.forward"]
