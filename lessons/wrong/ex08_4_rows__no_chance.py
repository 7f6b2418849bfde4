# says: not shuffled

import numpy as np


def rows(key: np.ndarray, n: int, batch: int, epoch: int) -> np.ndarray:
    updates = n // batch
    shuffled = np.roll(np.arange(n), epoch)
    return shuffled[: updates * batch].reshape(updates, batch)
