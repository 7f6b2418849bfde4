# says: do not get their own answers

import numpy as np

from common import random


def repair_loop(
    w: np.ndarray, x: np.ndarray, y: np.ndarray, key: np.ndarray, *, epochs: int, batch: int, lr: float, mu: float
) -> np.ndarray:
    m = np.zeros_like(w)
    for epoch in range(epochs):
        order = random.permutation(random.fold_in(key, epoch), len(x))
        for start in range(0, len(x), batch):
            taken = order[start : start + batch]
            g = x[taken].T @ (x[taken] @ w - y[start : start + batch]) / batch
            m = mu * m + g
            w = w - lr * m
    return w
