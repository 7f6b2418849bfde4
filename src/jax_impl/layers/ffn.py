"""Feed-forward. The math is in numpy_ref/layers/ffn.py."""

import jax

from common.params import FFN
from jax_impl.layers import linear
from jax_impl.ops import relu


def forward(params: FFN, x_BTD: jax.Array) -> jax.Array:
    a_BTF = linear.forward(params["up"], x_BTD)
    h_BTF = relu.forward(a_BTF)
    y_BTD = linear.forward(params["down"], h_BTF)
    return y_BTD
