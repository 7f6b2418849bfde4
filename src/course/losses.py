"""Other losses for the digit transformer, right and wrong ones; lesson 06 measures what becomes of them.

    with instead(squared):
        ...                 # numpy_ref.ops.cross_entropy is the squared error in here, forward and backward

A loss is a pair of functions of the form of those that ship.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from common.types import Array
from numpy_ref.ops import cross_entropy, softmax


class Loss(NamedTuple):
    forward: Callable[..., Any]
    backward: Callable[..., Any]


def squared_forward(logits_BC: Array, *, targets_B: Array):
    """The squared distance of p from y, summed over the classes."""
    p_BC, _ = softmax.forward(logits_BC)
    y_BC = np.arange(p_BC.shape[-1]) == targets_B[:, None]
    return np.mean(np.sum((p_BC - y_BC) ** 2, axis=-1)), (p_BC, targets_B)


def squared_backward(dloss: Array, saved):
    p_BC, targets_B = saved
    y_BC = np.arange(p_BC.shape[-1]) == targets_B[:, None]
    dp_BC = 2 * (p_BC - y_BC) * (dloss / len(targets_B))
    return softmax.backward(dp_BC, p_BC)


def flattened_forward(logits_BC: Array, *, targets_B: Array):
    """Probabilities handed to a loss that expects logits: softmax is applied twice."""
    p_BC, saved_softmax = softmax.forward(logits_BC)
    loss, saved_loss = cross_entropy_forward(p_BC, targets_B=targets_B)
    return loss, (saved_softmax, saved_loss)


def flattened_backward(dloss: Array, saved):
    saved_softmax, saved_loss = saved
    return softmax.backward(cross_entropy_backward(dloss, saved_loss), saved_softmax)


def summed_backward(dloss: Array, saved):
    """p - y, for a loss that is a mean: the division by B is missing."""
    p_BC, targets_B = saved
    return (p_BC - (np.arange(p_BC.shape[-1]) == targets_B[:, None])) * dloss


def twice_backward(dloss: Array, saved):
    """Softmax's own backward after p - y."""
    p_BC, _ = saved
    return softmax.backward(cross_entropy_backward(dloss, saved), p_BC)


cross_entropy_forward, cross_entropy_backward = cross_entropy.forward, cross_entropy.backward
LOSSES = {
    "cross-entropy": Loss(cross_entropy_forward, cross_entropy_backward),
    "summed": Loss(cross_entropy_forward, summed_backward),
    "twice": Loss(cross_entropy_forward, twice_backward),
    "squared": Loss(squared_forward, squared_backward),
    "squared, p - y": Loss(squared_forward, cross_entropy_backward),
    "flattened": Loss(flattened_forward, flattened_backward),
}
"""By the name that lesson 06 calls them by."""


@contextmanager
def instead(loss: Loss) -> Iterator[None]:
    """Let everything that trains or judges use this loss."""
    with patch.multiple(cross_entropy, forward=loss.forward, backward=loss.backward):
        yield
