# says: only the first row of the batch

import numpy as np


def embedding_backward(dy: np.ndarray, tokens: np.ndarray, vocab: int) -> np.ndarray:
    dw = np.zeros((vocab, dy.shape[-1]))
    np.add.at(dw, tokens[0], dy[0])
    return dw
