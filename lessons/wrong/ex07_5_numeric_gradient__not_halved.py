# says: exactly twice too large

from collections.abc import Callable

import numpy as np


def numeric_gradient(fn: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.astype(float), x.astype(float)
        up[place] += h
        down[place] -= h
        gradient[place] = (fn(up) - fn(down)) / h
    return gradient
