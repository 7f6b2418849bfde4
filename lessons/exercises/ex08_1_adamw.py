"""One update of AdamW.

p, g, m and v are arrays of one shape: weights, their gradient, and the two running means as they were before. t is the
number of this update, 1 for the first. decay is decoupled: a share lr * decay of the weight itself, which never meets m
or v. Return the new p, m and v; change none of the arrays that you are given.
"""

import numpy as np


def adamw(
    p: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raise NotImplementedError


HINTS = [
    "m and v first: beta times what they were, plus (1 - beta) times g, or times g squared. These are what you return.",
    "Both are too small by 1 - beta ** t. Divide copies of them by that, for the step alone.",
    "p - lr * decay * p - lr * m_hat / (sqrt(v_hat) + eps): three terms, with the old p in both places.",
]
