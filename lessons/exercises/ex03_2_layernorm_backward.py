"""Layer norm, backward, from what forward saved.

    dg = sum over batch and positions of dy * n        db = the same of dy        dn = g * dy
    dx_j = sum over i of dn_i * dn_i/dx_j,             dn_i/dx_j = r * (delta_ij - 1/D - n_i * n_j / D)

`dy_BTD` and `n_BTD` are (B, T, D), `g_D` is (D,), `r_BT1` is (B, T, 1). Return dg_D, db_D and dx_BTD.
"""

import numpy as np


def backward(dy_BTD: np.ndarray, g_D: np.ndarray, n_BTD: np.ndarray, r_BT1: np.ndarray):
    raise NotImplementedError


HINTS = [
    "Three terms in the table, three terms in dx. The delta gives dn itself.",
    "The sum over i of dn_i / D is a mean. So is the sum over i of dn_i * n_i / D.",
    "dx = r * (dn - mean(dn) - n * mean(dn * n)), both means along the last axis with keepdims=True.",
]
