# says: this is the share in which b is better
import numpy as np


def share(a, b):
    return float(np.mean((a[:, None] < b[None, :]) + 0.5 * (a[:, None] == b[None, :])))
