"""RMSNorm: give every token vector the same length, then let a learned gain restretch it.

    r = 1 / sqrt(mean(x^2) + eps)          one number per token
    n = x * r
    y = g * n

LayerNorm without the mean and without the bias; LLaMA uses it because it is as good and cheaper.

Backward. The gain is easy: dg = sum over tokens of dy * n, and dn = g * dy.
The input is not, because every n_i of a token shares the same r, so one x_j moves all of them:
    dn_i/dx_j = r * (delta_ij - n_i * n_j / D)
    dx        = r * (dn - n * mean(dn * n))
In words: scale the gradient by r, then remove its part along n. A norm that forgets length has no gradient along length
(exactly so when eps = 0).

Zhang and Sennrich 2019.    Twin: jax_impl/layers/rmsnorm.py
"""

import numpy as np

from common.params import RMSNorm
from common.sums import mean, over_rows
from common.types import Array


def forward(params: RMSNorm, x_BTD: Array, *, eps: float = 1e-5):
    r_BT1 = 1.0 / np.sqrt(mean(x_BTD * x_BTD) + eps)
    n_BTD = x_BTD * r_BT1
    y_BTD = params["g"] * n_BTD
    return y_BTD, (params["g"], n_BTD, r_BT1)


def backward(dy_BTD: Array, saved):
    g_D, n_BTD, r_BT1 = saved
    dg_D = over_rows(dy_BTD * n_BTD)
    dn_BTD = g_D * dy_BTD
    dx_BTD = r_BT1 * (dn_BTD - n_BTD * mean(dn_BTD * n_BTD))
    return {"g": dg_D}, dx_BTD
