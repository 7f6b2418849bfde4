# says: left out in every epoch

import numpy as np

from common import random


def rows(key: np.ndarray, n: int, batch: int, epoch: int) -> np.ndarray:
    updates = n // batch
    shuffled = random.permutation(random.fold_in(key, epoch), updates * batch)
    return shuffled[: updates * batch].reshape(updates, batch)
