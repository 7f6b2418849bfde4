# says: positions count from 0

import numpy as np


def sinusoidal(length: int, width: int) -> np.ndarray:
    speed = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = np.arange(1, length + 1)[:, None] * speed
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, width)
