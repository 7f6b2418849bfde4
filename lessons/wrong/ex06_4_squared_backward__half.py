# says: exactly half

import numpy as np


def squared_backward(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    dp = (p - y) / len(p)
    return p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
