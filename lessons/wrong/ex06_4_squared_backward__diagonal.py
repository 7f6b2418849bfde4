# says: as if each logit moved its own probability alone

import numpy as np


def squared_backward(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    dp = 2 * (p - y) / len(p)
    return dp * p * (1 - p)
