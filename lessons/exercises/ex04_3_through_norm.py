"""Carry the parts of a sum through a layer norm.

A token's vector x is the sum of `parts`, a list of arrays (D,). The norm y = g * (x - mean(x)) * r + b of that x is the
sum of what this function returns: a list with one array for each part, in order, and the bias b as one more at the end.
`r` is the norm's 1 / sqrt(mean(c^2) + eps), one number, of the whole x.
"""

import numpy as np


def through_norm(parts: list[np.ndarray], g: np.ndarray, b: np.ndarray, r: float) -> list[np.ndarray]:
    raise NotImplementedError


HINTS = [
    "The mean of a sum is the sum of the means: each part loses its own.",
    "r belongs to the whole sum, and is the same for every part. So is g.",
    "b is nobody's: it becomes a part of its own, once.",
]
