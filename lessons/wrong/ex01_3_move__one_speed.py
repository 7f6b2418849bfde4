# says: every pair was turned by the same angle

import numpy as np


def move(p: np.ndarray, k: int) -> np.ndarray:
    sine, cosine = p[0::2], p[1::2]
    new_sine = sine * np.cos(k) + cosine * np.sin(k)
    new_cosine = cosine * np.cos(k) - sine * np.sin(k)
    return np.stack([new_sine, new_cosine], axis=-1).reshape(len(p))
