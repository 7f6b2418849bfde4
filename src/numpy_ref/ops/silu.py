"""SiLU: let each number through by the logistic function of itself.

    s = 1 / (1 + exp(-x))        a smooth step from 0 to 1
    y = x s

Backward. A product again, and the step's own slope is s (1 - s):
    dy/dx = s + x s (1 - s)

Hendrycks and Gimpel 2016; Elfwing et al. 2017.    Twin: jax_impl/ops/silu.py
"""

import numpy as np

from common.types import Array


def forward(x: Array):
    with np.errstate(over="ignore"):  # far below zero exp(-x) is infinite, and s the zero that is meant
        s = 1.0 / (1.0 + np.exp(-x))
    y = x * s
    return y, (x, s)


def backward(dy: Array, saved):
    x, s = saved
    dx = dy * (s + x * s * (1 - s))
    return dx
