"""Solution of the exercise of this name."""

import numpy as np

from common.positions import sinusoidal


def embed(w: np.ndarray, tokens_BT: np.ndarray) -> np.ndarray:
    return w[tokens_BT] + sinusoidal(tokens_BT.shape[1], w.shape[1])
