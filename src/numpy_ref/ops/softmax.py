"""Softmax over the last axis: turn scores into shares that are positive and sum to one.

    y_i = exp(x_i) / sum_j exp(x_j)

Adding one number to every score of a row changes nothing, so the largest is subtracted first: no exp overflows.

Backward. Raising x_j raises y_j and, since the shares sum to one, lowers all the others:
    dy_i/dx_j = y_i (delta_ij - y_j)
    dx        = y * (dy - sum(dy * y))
In words: a score gains only by how much better its gradient is than the average that the row already gets. With dy all
ones the result is zero, which is why a check with ones proves nothing. A score of -inf has y = 0 and so dx = 0.

Lesson: lessons/02_attention.md    Twin: jax_impl/ops/softmax.py
"""

import numpy as np

from common.sums import largest, total
from common.types import Array


def forward(x: Array):
    top = largest(x.real)  # a constant: it cancels, so it needs no derivative
    e = np.exp(x - top)
    y = e / total(e)
    return y, y


def backward(dy: Array, saved):
    y = saved
    dx = y * (dy - total(dy * y))
    return dx
