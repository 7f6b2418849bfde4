# says: the hands slow down too little

import numpy as np


def sinusoidal(length: int, width: int) -> np.ndarray:
    speed = 10000.0 ** (-np.arange(width // 2) / width)
    angle = np.arange(length)[:, None] * speed
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, width)
