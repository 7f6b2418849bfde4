# says: exactly sqrt(K) times too large

import numpy as np


def attend_backward(
    do: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, w: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dw = do @ v.T
    da = w * (dw - np.sum(dw * w, axis=-1, keepdims=True))
    return da @ k, da.T @ q, w.T @ do
