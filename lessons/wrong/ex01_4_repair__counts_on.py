# says: the places go on counting from row to row

import numpy as np

from common.positions import sinusoidal


def embed(w: np.ndarray, tokens_BT: np.ndarray) -> np.ndarray:
    rows, places = tokens_BT.shape
    p = sinusoidal(rows * places, w.shape[1])
    return w[tokens_BT] + p.reshape(rows, places, -1)
