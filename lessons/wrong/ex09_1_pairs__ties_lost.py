# says: a tie is half a win
import numpy as np


def share(a, b):
    return float(np.mean(a[:, None] > b[None, :]))
