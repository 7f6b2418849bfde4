"""How often does one run of each tell you that `a` is better?

`a` and `b` hold one number for each run, shapes (N,) and (M,), larger is better. Take one run of each, in
every possible way: return the share of these N M pairs in which the run of `a` is better, a tie counting as
one half.
"""

import numpy as np


def share(a: np.ndarray, b: np.ndarray) -> float:
    raise NotImplementedError


HINTS = [
    "There are N times M pairs; runs need not have the same seed.",
    "a[:, None] against b[None, :] makes a table of all pairs.",
    "The mean of (a > b) plus half the mean of (a == b), both over the whole table.",
]
