"""The learning rate of update number step, counted from 0, in a run of steps updates.

Over the first warmup updates it rises in a straight line: the first has lr / warmup, the last of them lr. Then it falls
as half a cosine, from lr at update number warmup to zero at update number steps, where the run is over.
"""

import math


def schedule(step: int, *, steps: int, lr: float, warmup: int) -> float:
    raise NotImplementedError


HINTS = [
    "Two cases: step < warmup, and the rest. In the first, step 0 must not have a rate of zero.",
    "How much of the fall is done? A number from 0 at step = warmup to 1 at step = steps.",
    "The cosine goes from 1 to -1. Which straight line makes lr of 1 and 0 of -1?",
]
