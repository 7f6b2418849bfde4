# says: has shape

from collections.abc import Callable

import numpy as np


def numeric_gradient(fn: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    gradient = np.zeros(x.size)
    for place in range(x.size):
        up, down = x.astype(float), x.astype(float)
        up.flat[place] += h
        down.flat[place] -= h
        gradient[place] = (fn(up) - fn(down)) / (2 * h)
    return gradient
