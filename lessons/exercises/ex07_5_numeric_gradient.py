"""The gradient of any function, found without deriving anything.

fn takes an array of the shape of x and returns a number. Return an array of the shape of x: at each place the central
difference (fn(x + h) - fn(x - h)) / (2 h), where only this one entry of x is moved. x itself must not change.
"""

from collections.abc import Callable

import numpy as np


def numeric_gradient(fn: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "np.ndindex(x.shape) walks through the places of an array of any rank.",
    "Move a copy: moved = x.copy(); moved[place] += h. One copy for each end.",
    "An array of whole numbers cannot hold x + 1e-5: make the copies with x.astype(float).",
]
