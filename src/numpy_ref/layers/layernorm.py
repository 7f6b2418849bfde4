"""LayerNorm: give every token vector mean zero and spread one, then let a learned gain and bias restretch and shift it.

    c = x - mean(x)                        centred
    r = 1 / sqrt(mean(c^2) + eps)          one number per token
    n = c * r                              normalized
    y = g * n + b

Backward. The gain and the bias are easy: dg = sum over tokens of dy * n, db = sum of dy, and dn = g * dy.
The input is not, because every n_i of a token shares the same mean and the same r, so one x_j moves all of them:
    dn_i/dx_j = r * (delta_ij - 1/D - n_i * n_j / D)
    dx        = r * (dn - mean(dn) - n * mean(dn * n))
In words: remove from the gradient its mean and its part along n, then scale it by r. A norm that forgets offset and
length has no gradient along either (along length exactly so when eps = 0).

Ba, Kiros and Hinton 2016.    Lesson: lessons/03_blocks.md    Twin: jax_impl/layers/layernorm.py
"""

import numpy as np

from common.params import LayerNorm
from common.sums import mean, over_rows
from common.types import Array


def forward(params: LayerNorm, x_BTD: Array, *, eps: float = 1e-5):
    c_BTD = x_BTD - mean(x_BTD)
    r_BT1 = 1.0 / np.sqrt(mean(c_BTD * c_BTD) + eps)
    n_BTD = c_BTD * r_BT1
    y_BTD = params["g"] * n_BTD + params["b"]
    return y_BTD, (params["g"], n_BTD, r_BT1)


def backward(dy_BTD: Array, saved):
    g_D, n_BTD, r_BT1 = saved
    dg_D = over_rows(dy_BTD * n_BTD)
    db_D = over_rows(dy_BTD)
    dn_BTD = g_D * dy_BTD
    dx_BTD = r_BT1 * (dn_BTD - mean(dn_BTD) - n_BTD * mean(dn_BTD * n_BTD))
    return {"g": dg_D, "b": db_D}, dx_BTD
