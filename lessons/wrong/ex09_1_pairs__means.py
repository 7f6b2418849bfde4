# says: the means are compared
import numpy as np


def share(a, b):
    return float(np.mean(a) > np.mean(b))
