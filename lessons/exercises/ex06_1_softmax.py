"""Softmax over the last axis, for any scores.

x has any shape. Return an array of the same shape: positive shares, each row summing to 1. Scores may be 1000 or -1000,
or both in different rows, and nothing may overflow.
"""

import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "exp(1000) is infinite in float64. Which number may be subtracted from a whole row without changing its shares?",
    "The largest of that row: np.max(x, axis=-1, keepdims=True). The largest of all rows would empty the others.",
]
