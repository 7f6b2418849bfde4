# says: infinite

import numpy as np


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    e = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    p = e / np.sum(e, axis=-1, keepdims=True)
    return float(np.mean(-np.log(p[np.arange(len(targets)), targets])))
