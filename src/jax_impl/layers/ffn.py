"""Feed-forward. The math is in numpy_ref/layers/ffn.py."""

from collections.abc import Callable
from functools import partial

import jax

from common.params import FFN
from jax_impl.layers import linear
from jax_impl.ops import gelu, relu

ACTIVATIONS: dict[str, Callable[..., jax.Array]] = {
    "relu": relu.forward,
    "gelu": gelu.forward,
    "gelu_exact": partial(gelu.forward, exact=True),
}


def forward(params: FFN, x_BTD: jax.Array, *, activation: str = "relu") -> jax.Array:
    act_forward = ACTIVATIONS[activation]
    a_BTF = linear.forward(params["up"], x_BTD)
    h_BTF = act_forward(a_BTF)
    y_BTD = linear.forward(params["down"], h_BTF)
    return y_BTD
