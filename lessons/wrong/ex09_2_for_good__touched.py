# says: it fell below the bar again
import numpy as np


def for_good(shares, steps, bar):
    reached = np.flatnonzero(shares >= bar)
    return float(steps[reached[0]]) if len(reached) else float("inf")
