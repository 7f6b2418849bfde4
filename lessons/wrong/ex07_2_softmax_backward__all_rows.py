# says: each row has a sum of its own

import numpy as np


def softmax_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return y * (dy - np.sum(dy * y))
