# says: the means are taken over the whole batch
import numpy as np


def backward(dy_BTD, g_D, n_BTD, r_BT1):
    dn_BTD = g_D * dy_BTD
    dx_BTD = r_BT1 * (dn_BTD - np.mean(dn_BTD) - n_BTD * np.mean(dn_BTD * n_BTD))
    return np.sum(dy_BTD * n_BTD, axis=(0, 1)), np.sum(dy_BTD, axis=(0, 1)), dx_BTD
