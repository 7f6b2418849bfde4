# says: the ratio is exactly the batch size

import numpy as np


def cross_entropy_backward(p: np.ndarray, targets: np.ndarray) -> np.ndarray:
    y = np.eye(p.shape[-1])[targets]
    return p - y
