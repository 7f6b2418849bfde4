"""Linear. The math is in numpy_ref/layers/linear.py.

The axes in front are laid out in rows here too: one matrix product, whatever the rank of x.
"""

import jax

from common.params import Linear


def forward(params: Linear, x: jax.Array) -> jax.Array:
    w_IO = params["w"]
    x_RI = x.reshape(-1, x.shape[-1])
    y_RO = x_RI @ w_IO + params["b"] if "b" in params else x_RI @ w_IO
    return y_RO.reshape(*x.shape[:-1], -1)
