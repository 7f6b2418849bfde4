# says: each update shrinks what the one before it has left
import numpy as np


def left(lrs, decay):
    return float(1 - decay * np.sum(lrs))
