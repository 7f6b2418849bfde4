# says: the ratio is exactly the batch size

import numpy as np


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    z = logits - np.max(logits, axis=-1, keepdims=True)
    surprise = np.log(np.sum(np.exp(z), axis=-1)) - z[np.arange(len(targets)), targets]
    return float(np.sum(surprise))
