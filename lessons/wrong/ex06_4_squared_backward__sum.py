# says: the ratio is exactly the batch size

import numpy as np


def squared_backward(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    dp = 2 * (p - y)
    return p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
