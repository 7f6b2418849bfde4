"""Somebody wrote a training loop for a straight line, and three lines of it are wrong. Find them.

The model is x @ w for x of shape (N, D), its loss the mean of (x @ w - y) ** 2 / 2 over a batch, the optimizer
momentum. Every epoch should have an order of its own, each question should keep its answer, and the momentum should
last for the whole run. Delete the first line of the body and repair the others. The gradient is right, the caller's w
stays as it was, and N is a multiple of batch.
"""

import numpy as np

from common import random


def repair_loop(
    w: np.ndarray, x: np.ndarray, y: np.ndarray, key: np.ndarray, *, epochs: int, batch: int, lr: float, mu: float
) -> np.ndarray:
    raise NotImplementedError
    for _ in range(epochs):
        order = random.permutation(key, len(x))
        m = np.zeros_like(w)
        for start in range(0, len(x), batch):
            taken = order[start : start + batch]
            g = x[taken].T @ (x[taken] @ w - y[start : start + batch]) / batch
            m = mu * m + g
            w = w - lr * m
    return w


HINTS = [
    "Ask of each name how often it is made anew: once a run, once an epoch, or once an update. Which of them is wrong?",
    "A batch of questions is x[taken]. Which answers belong to it?",
    "An order of its own: random.fold_in(key, epoch) is another key in each epoch.",
]
