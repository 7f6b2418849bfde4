"""One head of attention for one expression, on plain matrices.

q has shape (T, K), k (S, K), v (S, W), and mask (T, S) is True where position t may look at position s; each row has a
True. Return o of shape (T, W): for each t the mean of the values, weighted by the softmax of the scaled scores.
"""

import numpy as np


def one_head(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "All dot products at once are q @ k.T, of shape (T, S). Scale them by the square root of K.",
    "np.where(mask, scores, -np.inf) before the softmax. exp(-inf) is exactly 0.",
    "The softmax runs along the keys, the last axis. Then the shares, (T, S), times the values, (S, W).",
]
