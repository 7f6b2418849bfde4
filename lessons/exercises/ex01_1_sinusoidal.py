"""The table of positions: one row for each position, one column for each of the numbers added to a token's vector.

Return P of shape (length, width), width even, with pair i in columns 2i and 2i + 1:

    P[t, 2i]     = sin(t * 10000^(-2i / width))
    P[t, 2i + 1] = cos(t * 10000^(-2i / width))
"""

import numpy as np


def sinusoidal(length: int, width: int) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "There are width / 2 hands. Their speeds are 10000.0 ** (-np.arange(0, width, 2) / width).",
    "Angles are positions (down) times speeds (across): np.arange(length)[:, None] * speed, shape (length, width / 2).",
    "Put sines and cosines side by side on a new last axis with np.stack, and reshape to (length, width).",
]
