"""The backward pass of the softmax over the last axis.

y are the shares that forward returned, of any shape; dy is the gradient of the loss with respect to them. Return dx,
the gradient with respect to the scores. No loop, and no table of derivatives.
"""

import numpy as np


def softmax_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "dx_j = sum over i of dy_i times dy_i/dx_j, with dy_i/dx_j = y_i (delta_ij - y_j): two terms.",
    "The term with delta leaves dy_j y_j. The other is -y_j times a number that the whole row shares.",
    "That number is the mean of dy, weighted by y. Of each row by itself: keepdims=True.",
]
