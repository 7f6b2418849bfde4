"""Shares along the last axis: positive, and each row sums to one.

x has any shape; return y of the same shape, y_i = exp(x_i) / sum of exp(x_j). Rows with scores of 1,000 must work, rows
with scores of -1,000 too, and a score of -inf gets the share 0 (no row is all -inf).
"""

import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "exp overflows above 709. Adding one number to all scores of a row changes no share.",
    "Subtract the largest of the row: then the largest exponent is 0, and exp of it is 1.",
    "keepdims=True keeps the reduced axis, so that the result can be subtracted from x and divided into it.",
]
