# says: close, and not exact
import numpy as np


def left(lrs, decay):
    return float(np.exp(-decay * np.sum(lrs)))
