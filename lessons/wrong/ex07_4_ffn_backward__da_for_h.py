# says: what came into it is h

import numpy as np


def ffn_backward(
    dy: np.ndarray, x: np.ndarray, h: np.ndarray, up_w: np.ndarray, down_w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    da = dy @ down_w.T * (h > 0)
    return da @ up_w.T, x.T @ da, np.sum(da, axis=0), da.T @ dy, np.sum(dy, axis=0)
