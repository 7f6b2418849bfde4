# says: this is a place in the list, and a step was asked for
import numpy as np


def for_good(shares, steps, bar):
    below = np.flatnonzero(shares < bar)
    place = below[-1] + 1 if len(below) else 0
    return float(place) if place < len(steps) else float("inf")
