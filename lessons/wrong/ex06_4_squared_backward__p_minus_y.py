# says: the gradient of cross-entropy

import numpy as np


def squared_backward(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (p - y) / len(p)
