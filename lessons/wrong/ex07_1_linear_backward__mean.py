# says: the ratio is exactly the number of rows

import numpy as np


def linear_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x_rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dy @ w.T, x_rows.T @ dy_rows / len(x_rows), np.mean(dy_rows, axis=0)
