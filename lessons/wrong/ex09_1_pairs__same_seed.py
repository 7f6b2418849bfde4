# says: every run of a meets every run of b
import numpy as np


def share(a, b):
    n = min(len(a), len(b))
    return float(np.mean((a[:n] > b[:n]) + 0.5 * (a[:n] == b[:n])))
