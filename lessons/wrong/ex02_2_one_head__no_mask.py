# says: the mask is not used

import numpy as np


def one_head(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
    a = q @ k.T / np.sqrt(q.shape[-1])
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) @ v
