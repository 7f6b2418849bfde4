# says: this is what is lost
import numpy as np


def left(lrs, decay):
    return float(1 - np.prod(1 - lrs * decay))
