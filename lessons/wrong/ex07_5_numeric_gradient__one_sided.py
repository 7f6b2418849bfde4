# says: falls with h, not with h squared

from collections.abc import Callable

import numpy as np


def numeric_gradient(fn: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up = x.astype(float)
        up[place] += h
        gradient[place] = (fn(up) - fn(x)) / h
    return gradient
