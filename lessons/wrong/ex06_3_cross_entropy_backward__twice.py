# says: differentiated twice

import numpy as np


def cross_entropy_backward(p: np.ndarray, targets: np.ndarray) -> np.ndarray:
    y = np.eye(p.shape[-1])[targets]
    d = (p - y) / len(targets)
    return p * (d - np.sum(d * p, axis=-1, keepdims=True))
