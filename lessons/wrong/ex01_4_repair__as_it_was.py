# says: row b of the batch got the vector of position b

import numpy as np

from common.positions import sinusoidal


def embed(w: np.ndarray, tokens_BT: np.ndarray) -> np.ndarray:
    p = sinusoidal(len(tokens_BT), w.shape[1])
    return w[tokens_BT] + p[:, None]
