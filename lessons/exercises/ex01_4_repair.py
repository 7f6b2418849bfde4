"""Repair the stage. `broken` runs on every batch, returns the right shape, and is wrong.

w has shape (V, D), tokens_BT (B, T). Return x_BTD: for each token its vector plus that of its position. Find
out what `broken` does to a batch of one row, then write `embed`.
"""

import numpy as np

from common.positions import sinusoidal


def broken(w: np.ndarray, tokens_BT: np.ndarray) -> np.ndarray:
    p = sinusoidal(len(tokens_BT), w.shape[1])
    return w[tokens_BT] + p[:, None]


def embed(w: np.ndarray, tokens_BT: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "Print broken(...) - w[tokens_BT] for a batch of one row. Which vector was added at each position?",
    "len(tokens_BT) is B. How many vectors of positions does a row of T tokens need?",
    "A table of shape (T, D) is added to (B, T, D) without any further axis: NumPy lines shapes up at the right.",
]
