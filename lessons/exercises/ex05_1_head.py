"""The head: logits = x @ w + b, and its way back.

`x_BD` (B, D), `w_DC` (D, C), `b_C` (C,). `forward` returns logits_BC. `backward(dlogits_BC, x_BD, w_DC)` returns
dw_DC, db_C and dx_BD.
"""

import numpy as np


def forward(x_BD: np.ndarray, w_DC: np.ndarray, b_C: np.ndarray) -> np.ndarray:
    raise NotImplementedError


def backward(dlogits_BC: np.ndarray, x_BD: np.ndarray, w_DC: np.ndarray):
    raise NotImplementedError


HINTS = [
    "x feeds all tokens, so dx sums over them; w and b serve all rows of the batch, so theirs sum over the rows.",
    "The summed index comes last on the left and first on the right: that decides what is transposed.",
    "dw = x.T @ dlogits, db = sum of dlogits over the batch, dx = dlogits @ w.T",
]
