# says: p is not what it was

import numpy as np


def cross_entropy_backward(p: np.ndarray, targets: np.ndarray) -> np.ndarray:
    p[np.arange(len(targets)), targets] -= 1
    return p / len(targets)
