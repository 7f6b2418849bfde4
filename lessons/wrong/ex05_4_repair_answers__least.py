# says: the smallest logit
import numpy as np


def answers(x_BTD, w_DC, b_C, words):
    logits_BC = x_BTD[:, 0] @ w_DC + b_C
    return [words[token] for token in np.argmin(logits_BC, axis=1)[: len(x_BTD)]]
