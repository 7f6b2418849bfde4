# says: dn is g * dy
import numpy as np


def backward(dy_BTD, g_D, n_BTD, r_BT1):
    dn_BTD = dy_BTD
    mean_BT1 = np.mean(dn_BTD, axis=-1, keepdims=True)
    along_BT1 = np.mean(dn_BTD * n_BTD, axis=-1, keepdims=True)
    dx_BTD = r_BT1 * (dn_BTD - mean_BT1 - n_BTD * along_BT1)
    return np.sum(dy_BTD * n_BTD, axis=(0, 1)), np.sum(dy_BTD, axis=(0, 1)), dx_BTD
