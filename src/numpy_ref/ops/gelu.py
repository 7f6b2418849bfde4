"""GELU: let each number through by the chance that a standard normal one is smaller.

    exact    y = x Phi(x)                 Phi(x) = (1 + erf(x / sqrt(2))) / 2
    tanh     y = x (1 + tanh(u)) / 2      u = sqrt(2 / pi) (x + 0.044715 x^3)

The tanh form is the approximation that GPT-2 was trained with, and the default here; the two differ by less than
0.0005.

Backward. A product of x with a smooth step s(x), so dy/dx = s + x s':
    exact    s' = phi(x), the normal density exp(-x^2 / 2) / sqrt(2 pi)
    tanh     s' = (1 - tanh(u)^2) / 2 * sqrt(2 / pi) (1 + 3 * 0.044715 x^2)

Hendrycks and Gimpel 2016.    Twin: jax_impl/ops/gelu.py
"""

import math

import numpy as np

from common.types import Array

_C = math.sqrt(2 / math.pi)
_A = 0.044715


def forward(x: Array, *, exact: bool = False):
    if exact:
        from scipy.special import erf

        s = 0.5 * (1 + erf(x * math.sqrt(0.5)))
        slope = np.exp(-0.5 * (x * x)) * (0.5 * _C)
    else:
        t = np.tanh(_C * (x + _A * (x * x * x)))
        s = 0.5 * (1 + t)
        slope = 0.5 * (1 - t * t) * (_C * (1 + 3 * _A * (x * x)))
    y = x * s
    return y, (x, s, slope)


def backward(dy: Array, saved):
    x, s, slope = saved
    dx = dy * (s + x * slope)
    return dx
