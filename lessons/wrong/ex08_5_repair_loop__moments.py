# says: momentum still begins anew in every epoch

import numpy as np

from common import random


def repair_loop(
    w: np.ndarray, x: np.ndarray, y: np.ndarray, key: np.ndarray, *, epochs: int, batch: int, lr: float, mu: float
) -> np.ndarray:
    for epoch in range(epochs):
        m = np.zeros_like(w)
        order = random.permutation(random.fold_in(key, epoch), len(x))
        for start in range(0, len(x), batch):
            taken = order[start : start + batch]
            g = x[taken].T @ (x[taken] @ w - y[taken]) / batch
            m = mu * m + g
            w = w - lr * m
    return w
