"""The five mistakes of exercise ex07_7, planted one at a time, and how many tensors each of them spoils."""

from collections.abc import Callable
from functools import cache
from itertools import count
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

from common import gradcheck, params, random
from common.config import ClassifierConfig
from common.types import Array
from numpy_ref.layers import attention, ffn, linear
from numpy_ref.models import classifier
from numpy_ref.ops import attend, cross_entropy


@cache
def counts() -> dict[str, int]:
    """How many of the 27 tensors come out wrong, for each mistake."""
    right, found = _grads(), {}
    for name, (module, function, call, spoil) in _MISTAKES.items():
        with patch.object(module, function, _spoiled(getattr(module, function), call, spoil)):
            found[name] = sum(error > 1e-9 for error in gradcheck.difference(_grads(), right).values())
    return found


def _grads() -> Any:
    config = ClassifierConfig(d_model=16, n_heads=2, d_ffn=24)
    weights = params.init(random.key(2), config, np.float64)
    tokens = np.array([[15, 17, 7, 5, 11, 18], [12, 17, 3, 3, 8, 18], [16, 17, 9, 4, 2, 18]])
    logits, saved = classifier.forward(weights, tokens_BT=tokens, mask_BT=tokens != 0, config=config)
    loss, saved_loss = cross_entropy.forward(logits, targets_B=np.array([11, 3, 2]))
    return classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved)


def _spoiled(right: Callable[..., Any], call: int, spoil: Callable[..., Any]) -> Callable[..., Any]:
    """A backward whose result is spoiled at one of its calls. The first is the one nearest to the loss."""
    number = count()

    def backward(dy: Array, saved: Any) -> Any:
        found = right(dy, saved)
        return spoil(found, dy, saved) if next(number) == call else found

    return backward


def _plus(dlogits: Array, dloss: Array, saved: Any) -> Array:
    p, targets = saved
    return dlogits + 2 * (np.arange(p.shape[-1]) == targets[:, None]) / len(p)


def _bias_mean(found: Any, dy: Array, saved: Any) -> Any:
    d_params, dx = found
    return d_params | {"b": d_params["b"] / len(dy)}, dx


def _no_relu(found: Any, dy: Array, saved: Any) -> Any:
    _, saved_up, _, saved_down = saved
    d_down, dh = linear.backward(dy, saved_down)
    d_up, dx = linear.backward(dh, saved_up)
    return {"up": d_up, "down": d_down}, dx


def _no_scale(found: Any, do: Array, saved: Any) -> Any:
    dq, dk, dv = found
    return dq / saved[0], dk / saved[0], dv


def _no_straight_way(found: Any, dsum1: Array, saved: Any) -> Any:
    d_attn, dx, dsrc = found
    return d_attn, dx - dsum1, dsrc


_MISTAKES: dict[str, tuple[ModuleType, str, int, Callable[..., Any]]] = {
    "loss": (cross_entropy, "backward", 0, _plus),
    "head bias": (linear, "backward", 0, _bias_mean),
    "relu": (ffn, "backward", 0, _no_relu),
    "scale": (attend, "backward", 0, _no_scale),
    "residual": (attention, "backward", 1, _no_straight_way),
}
"""Whose backward is spoiled, at which of its calls, and how."""
