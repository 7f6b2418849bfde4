# says: never reaches the bar
import numpy as np


def for_good(shares, steps, bar):
    below = np.flatnonzero(shares < bar)
    return float(steps[min(below[-1] + 1, len(steps) - 1)]) if len(below) else float(steps[0])
