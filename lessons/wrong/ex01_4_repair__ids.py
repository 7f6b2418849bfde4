# says: the vector of a position was chosen by the token's id

import numpy as np

from common.positions import sinusoidal


def embed(w: np.ndarray, tokens_BT: np.ndarray) -> np.ndarray:
    p = sinusoidal(len(w), w.shape[1])
    return w[tokens_BT] + p[tokens_BT]
