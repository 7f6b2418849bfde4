"""From which step on has a model learned an operation, for good?

`shares` are its right answers, 0 to 1, one for each of the updates in `steps` (rising). Return the first step
from which on all shares are at least `bar`, to the end of the record; infinity where there is none.
"""

import numpy as np


def for_good(shares: np.ndarray, steps: np.ndarray, bar: float) -> float:
    raise NotImplementedError


HINTS = [
    "The page asks when the bar is touched first. What if the share falls below it again?",
    "Find the last place where the share is below the bar.",
    "The step after that place; the first step if there is no such place; infinity if it is the last.",
]
