"""Linear: every output is a weighted sum of all inputs, plus a bias where there is one.

    y = x @ w + b        w is (in, out)

x may have any number of axes; only the last is touched. The others are laid out in R rows, so that the whole batch is
one matrix product: as many small ones take several times as long.

Backward. y[r, o] = sum over i of x[r, i] w[i, o] + b[o], so
    dx[r, i] = sum over o of dy[r, o] w[i, o]       dx = dy @ w^T
    dw[i, o] = sum over r of x[r, i] dy[r, o]       dw = x^T @ dy
    db[o]    = sum over r of dy[r, o]               the bias was added to every row, so every row answers for it
Each transpose stands where the summed index has to come last on the left and first on the right.

Lesson: lessons/07_backpropagation.md    Twin: jax_impl/layers/linear.py
"""

from common.params import Linear
from common.sums import over_rows
from common.types import Array


def forward(params: Linear, x: Array):
    w_IO = params["w"]
    x_RI = x.reshape(-1, x.shape[-1])
    y_RO = x_RI @ w_IO + params["b"] if "b" in params else x_RI @ w_IO
    return y_RO.reshape(*x.shape[:-1], -1), (w_IO, x_RI, "b" in params)


def backward(dy: Array, saved):
    w_IO, x_RI, has_bias = saved
    dy_RO = dy.reshape(-1, dy.shape[-1])
    dw_IO = x_RI.T @ dy_RO
    dx_RI = dy_RO @ w_IO.T
    d_params = {"w": dw_IO, "b": over_rows(dy)} if has_bias else {"w": dw_IO}
    return d_params, dx_RI.reshape(*dy.shape[:-1], -1)
