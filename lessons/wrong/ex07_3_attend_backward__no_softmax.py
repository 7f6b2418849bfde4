# says: you skipped the softmax

import numpy as np


def attend_backward(
    do: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, w: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dw = do @ v.T * mask
    scale = 1 / np.sqrt(q.shape[-1])
    return dw @ k * scale, dw.T @ q * scale, w.T @ do
