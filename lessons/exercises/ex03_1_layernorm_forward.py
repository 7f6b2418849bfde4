"""Layer norm, forward: give every token vector mean zero and spread one, then stretch and shift it.

    c = x - mean(x)        r = 1 / sqrt(mean(c^2) + eps)        y = g * (c * r) + b

`x_BTD` is (batch, positions, width), `g_D` and `b_D` are (width,). Return y, shaped like x. Write it with NumPy alone.
"""

import numpy as np


def forward(x_BTD: np.ndarray, g_D: np.ndarray, b_D: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "Each token has a mean of its own: along which axis is it taken?",
    "np.mean(x_BTD, axis=-1) has the shape (B, T). To subtract it from (B, T, D) the axis has to stay: keepdims=True.",
    "The mean of the squares of c, plus eps, under the root; the gain and the bias come last.",
]
