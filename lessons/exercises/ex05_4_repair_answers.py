"""Repair: this function is wrong in two places. It shall turn last vectors into answers, one word for each row.

`x_BTD` are the outputs of the last block, `w_DC` and `b_C` the head, `words` the word of each token. The answer of a
row is the word with the largest logit, read at position 0. Mend `_answers`, then let `answers` return what it returns.
"""

import numpy as np


def _answers(x_BTD: np.ndarray, w_DC: np.ndarray, b_C: np.ndarray, words: list[str]) -> list[str]:
    logits_BC = x_BTD[:, -1] @ w_DC + b_C
    return [words[token] for token in np.argmax(logits_BC, axis=0)[: len(x_BTD)]]


def answers(x_BTD: np.ndarray, w_DC: np.ndarray, b_C: np.ndarray, words: list[str]) -> list[str]:
    raise NotImplementedError


HINTS = [
    "Which position is read? Rows may have padding behind them.",
    "One answer for each row: along which axis does argmax look?",
    "x_BTD[:, 0], and np.argmax(logits_BC, axis=1).",
]
