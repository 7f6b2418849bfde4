"""The backward pass of one attention head, whole.

    a = q @ k.T / sqrt(K)        (T, S)
    w = softmax of a over S, zero where mask is False
    o = w @ v                    (T, K)

q is (T, K), k and v are (S, K), mask is (T, S); w is what forward computed. Given do, return dq, dk and dv.
"""

import numpy as np


def attend_backward(
    do: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, w: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raise NotImplementedError


HINTS = [
    "o = w @ v is a linear layer twice over: one gradient for w, one for v. Which index does each sum over?",
    "From dw to da is the softmax's backward, row by row. What does it do where w is 0?",
    "a = q @ k.T / sqrt(K): da goes to q through k and to k through q. The division was there on the way forward.",
]
