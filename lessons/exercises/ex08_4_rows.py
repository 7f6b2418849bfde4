"""Which examples each update of an epoch takes.

There are n examples, numbered from 0. Return an array of whole numbers of shape (n // batch, batch): one row for each
update. Within an epoch no example comes twice. Each epoch has an order of its own, and what does not fill a batch is
left out, other examples each time. Asked for again, an epoch is the same: all chance comes from the key.
"""

import numpy as np

from common import random


def rows(key: np.ndarray, n: int, batch: int, epoch: int) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "random.permutation(key, n) gives the numbers 0 to n - 1 in an order that depends on the key alone.",
    "random.fold_in(key, epoch) makes another key for each epoch.",
    "Shuffle all n first, then cut to (n // batch) * batch, then reshape. Cut first, and some never come.",
]
