# says: times the right one: the scores were divided by sqrt(K), once

import numpy as np


def attend_backward(
    do: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, w: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dw = do @ v.T
    da = w * (dw - np.sum(dw * w, axis=-1, keepdims=True)) / q.shape[-1]
    return da @ k, da.T @ q, w.T @ do
