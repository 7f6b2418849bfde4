# says: one too early
import numpy as np


def for_good(shares, steps, bar):
    below = np.flatnonzero(shares < bar)
    if not len(below):
        return float(steps[0])
    return float(steps[below[-1]]) if below[-1] + 1 < len(steps) else float("inf")
