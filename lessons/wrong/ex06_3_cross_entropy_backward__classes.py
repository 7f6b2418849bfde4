# says: number of classes

import numpy as np


def cross_entropy_backward(p: np.ndarray, targets: np.ndarray) -> np.ndarray:
    y = np.eye(p.shape[-1])[targets]
    return (p - y) / p.shape[-1]
