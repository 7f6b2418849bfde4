# says: weighted by y

import numpy as np


def softmax_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return y * (dy - np.mean(dy, axis=-1, keepdims=True))
