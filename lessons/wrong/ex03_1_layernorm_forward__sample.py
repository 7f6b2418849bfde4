# says: divided by D - 1
import numpy as np


def forward(x_BTD, g_D, b_D, eps=1e-5):
    c_BTD = x_BTD - np.mean(x_BTD, axis=-1, keepdims=True)
    v_BT1 = np.var(x_BTD, axis=-1, ddof=1, keepdims=True)
    return g_D * c_BTD / np.sqrt(v_BT1 + eps) + b_D
