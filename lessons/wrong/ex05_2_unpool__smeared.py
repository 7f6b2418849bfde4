# says: every position was given the gradient
import numpy as np


def backward(dpooled_BD, length):
    return np.repeat(dpooled_BD[:, None], length, axis=1)
