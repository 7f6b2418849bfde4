"""The backward pass of y = x @ w + b.

x has shape (B, T, I), w (I, O), b (O,), so y and dy have shape (B, T, O). Return dx, dw and db, each of the shape of
what it is the gradient of. Write y with indices first, y[b, t, o] = sum over i of x[b, t, i] w[i, o] + b[o], and read
from it what each number takes part in.
"""

import numpy as np


def linear_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raise NotImplementedError


HINTS = [
    "w[i, o] takes part in y[b, t, o] for every b and t: how many indices has the sum in dw?",
    "B and T do the same job here. x.reshape(-1, I) puts both into rows.",
    "With rows: dw = x_rows.T @ dy_rows. The bias is added to every row. dx sums over o: what of w has o first?",
]
