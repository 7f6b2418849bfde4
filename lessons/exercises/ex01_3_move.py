"""From the vector of one position to that of another, without knowing which position it is.

p has shape (width,) and is row t of the table of positions, for a t that you are not given. Return row t + k. (k may be
negative.) Every pair of columns is a hand; turn each of them by k times its speed.
"""

import numpy as np


def move(p: np.ndarray, k: int) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "sin(a + b) = sin a cos b + cos a sin b, and cos(a + b) = cos a cos b - sin a sin b.",
    "Here a = t w is unknown, but its sine is p[0::2] and its cosine is p[1::2]. And b = k w is known.",
    "Compute the new sines and the new cosines, then put them side by side as in ex01_1.",
]
