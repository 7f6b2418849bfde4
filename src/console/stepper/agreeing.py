"""Hold the twins against each other on one batch: the same weights, the same dropout, and how far apart they come.

JAX is imported when this is asked for and not before.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from common import gradcheck, tree
from console import backend, interrupts
from console.stepper.witnesses import Problem

BAR = 1e-12
"""Largest relative difference in float64 that the tests of the project allow; in a coarser type, so much more as it
rounds more."""
_compiled: set[tuple[Any, ...]] = set()


class Agreement(NamedTuple):
    """How far apart the twins are: relative to a tensor's largest entry, floored (common/gradcheck.py)."""

    dtype: str
    logits: float
    loss: float
    grads: dict[str, float]
    losses: tuple[float, float]
    """NumPy's and JAX's, nats."""
    bar: float
    device: str

    @property
    def worst(self) -> str:
        return max(self.grads, key=lambda name: self.grads[name])

    @property
    def apart(self) -> list[str]:
        """The tensors over the bar, the worst first."""
        return sorted((n for n, d in self.grads.items() if d > self.bar), key=lambda n: -self.grads[n])

    @property
    def agree(self) -> bool:
        return max(self.logits, self.loss, *self.grads.values()) <= self.bar


def first_time(problem: Problem, dtype: str) -> bool:
    """Whether JAX will have to compile for this."""
    return _signature(problem, dtype) not in _compiled


def compare(problem: Problem, dtype: str, device: str | None = None) -> Agreement:
    """Both twins on the weights of a problem in `float32` or `float64`. Raises UserError where JAX is not installed."""
    twin = backend.choose("jax", device)
    params = tree.cast(problem.params, np.dtype(dtype))
    logits, loss, grads = problem.backward(params)
    with _exact(dtype):
        loss_twin, grads_twin, logits_twin = twin.train.loss_and_grads(
            params, problem.examples, model=problem.model, key=problem.key
        )
        theirs = tree.map(np.asarray, {"logits": logits_twin, "loss": loss_twin, "grads": grads_twin})
    _compiled.add(_signature(problem, dtype))
    interrupts.check()
    apart = gradcheck.difference({"x": logits}, {"x": theirs["logits"]})["x"]
    losses = float(loss), float(theirs["loss"])
    bar = BAR * float(np.finfo(dtype).eps / np.finfo(np.float64).eps)
    differences = gradcheck.difference(grads, theirs["grads"])
    grads_apart = {name: differences[name] for name in tree.named(grads)}  # JAX sorts its trees by name
    away = gradcheck._number(abs(losses[0] - losses[1]) / max(abs(losses[1]), gradcheck.FLOOR))
    return Agreement(dtype, apart, away, grads_apart, losses, bar, twin.device)


@contextmanager
def _exact(dtype: str) -> Iterator[None]:
    """JAX's settings for a comparison: float64 where it is asked for, matrix products in full."""
    import jax

    with ExitStack() as settings:
        settings.enter_context(jax.enable_x64(dtype == "float64"))
        settings.enter_context(jax.default_matmul_precision("highest"))
        yield


def _signature(problem: Problem, dtype: str) -> tuple[Any, ...]:
    return problem.model, dtype, tuple(np.shape(part) for part in problem.examples)
