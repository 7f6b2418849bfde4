# says: dw is transposed
import numpy as np


def forward(x_BD, w_DC, b_C):
    return x_BD @ w_DC + b_C


def backward(dlogits_BC, x_BD, w_DC):
    return dlogits_BC.T @ x_BD, np.sum(dlogits_BC, axis=0), dlogits_BC @ w_DC.T
