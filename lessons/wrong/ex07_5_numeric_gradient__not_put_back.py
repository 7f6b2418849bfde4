# says: x is not what it was

from collections.abc import Callable

import numpy as np


def numeric_gradient(fn: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        x[place] += h
        up = fn(x)
        x[place] -= 2 * h
        down = fn(x)
        gradient[place] = (up - down) / (2 * h)
    return gradient
