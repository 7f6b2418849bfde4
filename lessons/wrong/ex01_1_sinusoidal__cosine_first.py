# says: sine and cosine have changed places

import numpy as np


def sinusoidal(length: int, width: int) -> np.ndarray:
    speed = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = np.arange(length)[:, None] * speed
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(length, width)
