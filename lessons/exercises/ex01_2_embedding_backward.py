"""The gradient of a lookup y = w[tokens].

tokens has shape (B, T), dy (B, T, D). Return dw of shape (vocab, D): for each token, the sum of dy over all
the positions where it stands; zero for a token that stands nowhere.
"""

import numpy as np


def embedding_backward(dy: np.ndarray, tokens: np.ndarray, vocab: int) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "Row v of w was copied to several positions. How much does the loss change if row v moves?",
    "dw[tokens] += dy does not add twice into one row: NumPy reads, adds and writes each row once.",
    "np.add.at(dw, tokens, dy) adds every time. Or build the one-hot table and multiply.",
]
