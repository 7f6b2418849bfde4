# says: asked for again

import numpy as np


def rows(key: np.ndarray, n: int, batch: int, epoch: int) -> np.ndarray:
    updates = n // batch
    shuffled = np.random.default_rng().permutation(n)
    return shuffled[: updates * batch].reshape(updates, batch)
