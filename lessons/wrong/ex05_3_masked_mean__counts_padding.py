# says: divided by all positions
import numpy as np


def forward(x_BTD, mask_BT):
    return np.sum(mask_BT[:, :, None] * x_BTD, axis=1) / mask_BT.shape[1]


def backward(dpooled_BD, mask_BT):
    share_BT = mask_BT / np.sum(mask_BT, axis=1, keepdims=True)
    return share_BT[:, :, None] * dpooled_BD[:, None]
