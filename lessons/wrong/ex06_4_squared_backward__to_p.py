# says: with respect to p

import numpy as np


def squared_backward(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 2 * (p - y) / len(p)
