# says: all sines stand before all cosines

import numpy as np


def sinusoidal(length: int, width: int) -> np.ndarray:
    speed = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = np.arange(length)[:, None] * speed
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
