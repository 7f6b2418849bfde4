"""Mean pooling that padding cannot change.

`x_BTD` (B, T, D), `mask_BT` True where a token is real; each row has at least one. `forward` returns the mean of the
real positions, (B, D). `backward(dpooled_BD, mask_BT)` returns dx_BTD.
"""

import numpy as np


def forward(x_BTD: np.ndarray, mask_BT: np.ndarray) -> np.ndarray:
    raise NotImplementedError


def backward(dpooled_BD: np.ndarray, mask_BT: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "How much of each position is taken? Make that an array (B, T): zero at padding, 1 / count of real ones else.",
    "share = mask / mask.sum(axis=1, keepdims=True); forward sums share[:, :, None] * x over the positions.",
    "Backward spreads: every position gets its share of dpooled.",
]
