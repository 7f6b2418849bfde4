# says: the positions go on counting from row to row

import numpy as np

from common.positions import sinusoidal


def embed(w: np.ndarray, tokens_BT: np.ndarray) -> np.ndarray:
    rows, positions = tokens_BT.shape
    p = sinusoidal(rows * positions, w.shape[1])
    return w[tokens_BT] + p.reshape(rows, positions, -1)
