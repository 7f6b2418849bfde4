"""SiLU: let each number through by the logistic function of itself.

    s = 1 / (1 + exp(-x))        a smooth step from 0 to 1
    y = x s

Backward. A product again, and the step's own slope is s (1 - s):
    dy/dx = s + x s (1 - s)

Hendrycks and Gimpel 2016; Elfwing et al. 2017.    Lesson: lessons/13_llama.md    Twin: jax_impl/ops/silu.py
"""

import numpy as np

from common.types import Array


def forward(x: Array):
    # exp(-x) overflows where x is far below zero, and 1 + tanh(x / 2) loses its digits there; exp(-|x|) does neither
    below = x.real < 0
    e = np.exp(np.where(below, x, -x))
    s = np.where(below, e, 1.0) / (1 + e)
    y = x * s
    return y, (x, s)


def backward(dy: Array, saved):
    x, s = saved
    dx = dy * (s + x * s * (1 - s))
    return dx
