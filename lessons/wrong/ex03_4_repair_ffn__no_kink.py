# says: the kink
import numpy as np


def _backward(dy_BTD, x_BTD, up_w_DF, up_b_F, down_w_FD):
    a_BTF = x_BTD @ up_w_DF + up_b_F
    h_BTF = np.maximum(a_BTF, 0)
    dh_BTF = dy_BTD @ down_w_FD.T
    da_BTF = dh_BTF
    return {
        "down_w": np.einsum("btf,btd->fd", h_BTF, dy_BTD),
        "down_b": np.sum(dy_BTD, axis=(0, 1)),
        "up_w": np.einsum("btd,btf->df", x_BTD, da_BTF),
        "up_b": np.sum(da_BTF, axis=(0, 1)),
        "x": da_BTF @ up_w_DF.T,
    }


def backward(dy_BTD, x_BTD, up_w_DF, up_b_F, down_w_FD):
    return _backward(dy_BTD, x_BTD, up_w_DF, up_b_F, down_w_FD)
