# says: eps
import numpy as np


def forward(x_BTD, g_D, b_D, eps=1e-5):
    c_BTD = x_BTD - np.mean(x_BTD, axis=-1, keepdims=True)
    r_BT1 = 1.0 / np.sqrt(np.mean(c_BTD * c_BTD, axis=-1, keepdims=True))
    return g_D * (c_BTD * r_BT1) + b_D
