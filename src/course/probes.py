"""Nudge the numbers between the layers while a model runs, in either twin.

The gradient of an intermediate is what the loss would do if that number alone were a little larger. So add a nudge of
zero to everything that goes into or comes out of a layer: the derivative of the loss with respect to the nudges is the
gradient of all intermediates, and can be asked of finite differences and of `jax.grad` alike.

Nudges and gradients are lists with a dict for each call of a layer, in order: `x` what goes in, `y` what comes out.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from common.trace import Call, Trace
from common.types import Tree

LAYERS = ("layers.embedding", "layers.linear", "layers.layernorm", "ops.softmax")
"""What stands between them, reshapes and sums and ReLU, ends at one of these on either side."""


@contextmanager
def nudged(package: str, nudges: list[dict[str, Any]]) -> Iterator[None]:
    """While this is open, every call of a layer of `package` has its nudges added."""
    turn = iter(nudges)
    with ExitStack() as stack:
        for name in LAYERS:
            module = importlib.import_module(f"{package}.{name}")
            stack.enter_context(patch.object(module, "forward", _wrapped(module.forward, turn)))
        yield


def _wrapped(right: Callable[..., Any], turn: Iterator[dict[str, Any]]) -> Callable[..., Any]:
    def forward(*args: Any, **kw: Any) -> Any:
        nudge = next(turn)
        given = (*args[:-1], args[-1] + nudge["x"]) if "x" in nudge else args
        found = right(*given, **kw)
        return (found[0] + nudge["y"], found[1]) if isinstance(found, tuple) else found + nudge["y"]

    return forward


def calls(trace: Trace) -> list[tuple[Call, Call]]:
    """The forward of each layer that was nudged, in order, and its backward."""
    backward = {call.name: call for call in trace.calls if call.function.endswith(".backward")}
    starts = tuple(f"{name.partition('.')[2]}.forward" for name in LAYERS)
    return [(c, backward[c.name.replace(".forward", ".backward")]) for c in trace.calls if c.function in starts]


def names(trace: Trace) -> list[str]:
    """`blocks.0.attn.q/linear`: place and layer of each call."""
    return [forward.name.removesuffix(".forward") for forward, _ in calls(trace)]


def gradients(trace: Trace) -> Tree:
    """What the backward passes of the trace found, in the order of the calls."""
    found = []
    for forward, backward in calls(trace):
        dy = next(backward.locals[name] for name in ("dy", "dy_BTD") if name in backward.locals)
        result = backward.result[1] if isinstance(backward.result, tuple) else backward.result
        found.append({"y": dy} if "tokens_BT" in forward.locals else {"x": result, "y": dy})
    return found


def zeros(trace: Trace) -> Tree:
    """No nudge at all: the point at which to differentiate."""
    return [{end: np.zeros(np.shape(value)) for end, value in ends.items()} for ends in gradients(trace)]
