# says: took the mean and the spread for constants
import numpy as np


def backward(dy_BTD, g_D, n_BTD, r_BT1):
    dx_BTD = r_BT1 * g_D * dy_BTD
    return np.sum(dy_BTD * n_BTD, axis=(0, 1)), np.sum(dy_BTD, axis=(0, 1)), dx_BTD
