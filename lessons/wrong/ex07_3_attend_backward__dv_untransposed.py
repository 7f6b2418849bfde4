# says: dv[s] gathers from every query

import numpy as np


def attend_backward(
    do: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, w: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dw = do @ v.T
    da = w * (dw - np.sum(dw * w, axis=-1, keepdims=True))
    scale = 1 / np.sqrt(q.shape[-1])
    return da @ k * scale, da.T @ q * scale, w @ do
