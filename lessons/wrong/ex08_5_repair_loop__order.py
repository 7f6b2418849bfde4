# says: every epoch still has the same order

import numpy as np

from common import random


def repair_loop(
    w: np.ndarray, x: np.ndarray, y: np.ndarray, key: np.ndarray, *, epochs: int, batch: int, lr: float, mu: float
) -> np.ndarray:
    m = np.zeros_like(w)
    for _ in range(epochs):
        order = random.permutation(key, len(x))
        for start in range(0, len(x), batch):
            taken = order[start : start + batch]
            g = x[taken].T @ (x[taken] @ w - y[taken]) / batch
            m = mu * m + g
            w = w - lr * m
    return w
