# says: not centred
import numpy as np


def forward(x_BTD, g_D, b_D, eps=1e-5):
    r_BT1 = 1.0 / np.sqrt(np.mean(x_BTD * x_BTD, axis=-1, keepdims=True) + eps)
    return g_D * (x_BTD * r_BT1) + b_D
