"""Cut the columns into heads, and put them together again.

split(x, n):  x has shape (B, T, n * K). Return (B, n, T, K): head 0 has the first K columns, head 1 the next K, ...
merge(x):     the way back, from (B, n, T, K) to (B, T, n * K).
"""

import numpy as np


def split(x: np.ndarray, n: int) -> np.ndarray:
    raise NotImplementedError


def merge(x: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "reshape cuts an axis where it is; it never moves numbers past each other. transpose moves axes.",
    "Cut the last axis first: (B, T, n, K). Then exchange T and n.",
    "merge does the same backwards: first exchange, then lay the last two axes in one.",
]
