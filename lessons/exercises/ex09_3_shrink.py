"""What decay leaves of a weight that never has a gradient.

`lrs` are the learning rates of all updates of a run, shape (N,), and `decay` is AdamW's weight decay. Return
the weight after the run, divided by the weight before it.
"""

import numpy as np


def left(lrs: np.ndarray, decay: float) -> float:
    raise NotImplementedError


HINTS = [
    "One update leaves (1 - lr * decay) of the weight.",
    "The next update shrinks what the first one left.",
    "np.prod",
]
