# says: the two columns of a pair turn at different speeds

import numpy as np


def sinusoidal(length: int, width: int) -> np.ndarray:
    column = np.arange(width)
    angle = np.arange(length)[:, None] * 10000.0 ** (-column / width)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))
