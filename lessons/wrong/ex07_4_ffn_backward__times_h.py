# says: times h

import numpy as np


def ffn_backward(
    dy: np.ndarray, x: np.ndarray, h: np.ndarray, up_w: np.ndarray, down_w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    dh = dy @ down_w.T
    da = dh * h
    return da @ up_w.T, x.T @ da, np.sum(da, axis=0), h.T @ dy, np.sum(dy, axis=0)
