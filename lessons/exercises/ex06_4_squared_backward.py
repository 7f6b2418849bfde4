"""The gradient of another loss, where p - y does not belong.

    loss = mean over the rows of sum over the classes of (p - y)^2,      p = softmax(logits)

p and y have shape (B, C). Return the gradient with respect to the logits, not to p.
"""

import numpy as np


def squared_backward(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "Two steps: from the loss to p, and from p to the logits.",
    "dp = 2 (p - y) / B. The second step is softmax's backward, which you find in the lesson.",
    "dx = p * (dp - sum over the row of dp * p), with keepdims=True.",
]
