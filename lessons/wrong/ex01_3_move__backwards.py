# says: this is the vector of position t - k

import numpy as np


def move(p: np.ndarray, k: int) -> np.ndarray:
    width = len(p)
    turn = k * 10000.0 ** (-np.arange(0, width, 2) / width)
    sine, cosine = p[0::2], p[1::2]
    new_sine = sine * np.cos(turn) - cosine * np.sin(turn)
    new_cosine = cosine * np.cos(turn) + sine * np.sin(turn)
    return np.stack([new_sine, new_cosine], axis=-1).reshape(width)
