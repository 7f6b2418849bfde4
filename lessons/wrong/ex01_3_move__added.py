# says: the sine of a sum is not the sum of the sines

import numpy as np


def move(p: np.ndarray, k: int) -> np.ndarray:
    width = len(p)
    turn = k * 10000.0 ** (-np.arange(0, width, 2) / width)
    return p + np.stack([np.sin(turn), np.cos(turn)], axis=-1).reshape(width)
