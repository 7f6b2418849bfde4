"""SwiGLU. The math is in numpy_ref/layers/swiglu.py."""

from collections.abc import Callable

import jax

from common.params import SwiGLU
from jax_impl.layers import ffn, linear
from jax_impl.ops import silu

GATES: dict[str, Callable] = {"silu": silu.forward} | ffn.ACTIVATIONS


def forward(params: SwiGLU, x_BTD: jax.Array, *, gate: str = "silu") -> jax.Array:
    a_BTF = linear.forward(params["gate"], x_BTD)
    b_BTF = linear.forward(params["up"], x_BTD)
    s_BTF = GATES[gate](a_BTF)
    y_BTD = linear.forward(params["down"], s_BTF * b_BTF)
    return y_BTD
