# says: divided by how often it stands there

import numpy as np


def embedding_backward(dy: np.ndarray, tokens: np.ndarray, vocab: int) -> np.ndarray:
    onehot = (np.arange(vocab)[:, None] == tokens.reshape(1, -1)).astype(float)
    often = np.maximum(onehot.sum(axis=1, keepdims=True), 1)
    return onehot @ dy.reshape(-1, dy.shape[-1]) / often
