"""Repair the layer. `broken` wants to hide padding by setting its rows to zero.

x has shape (B, T, D); row b has lengths[b] real positions, then padding. The layer is one head whose queries, keys and
values are the rows themselves. Return y of shape (B, T, D) in which the real positions get what they would get if the
padding were not there at all. What the rows of padding get does not matter, as long as it is a number.
"""

import numpy as np

from numpy_ref.ops import softmax


def broken(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    real = np.arange(x.shape[1]) < lengths[:, None]
    hidden = x * real[:, :, None]
    shares, _ = softmax.forward(hidden @ hidden.swapaxes(1, 2) / np.sqrt(x.shape[-1]))
    return shares @ hidden


def attend_padded(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "What is the dot product of a query with a row of zeros? What is exp of it?",
    "The score of a padding position has to be -inf, for every query.",
    "real[:, None, :] has the shape (B, 1, T): it lies over the keys, the last axis of the scores.",
]
