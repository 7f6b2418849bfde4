"""SwiGLU: a feed-forward in which one half of the units decides how much of the other half is let through.

    a = x @ gate.w        s = silu(a)        or another gate: gelu, relu
    b = x @ up.w
    y = (s * b) @ down.w

Backward. A product gives each factor the gradient times the other factor: ds = dh * b, db = dh * s. `x` was read twice,
so its gradient is a sum.

Shazeer 2020.    Twin: jax_impl/layers/swiglu.py
"""

from collections.abc import Callable

from common.params import SwiGLU
from common.types import Array
from numpy_ref.layers import ffn, linear
from numpy_ref.ops import silu

GATES: dict[str, tuple[Callable, Callable]] = {"silu": (silu.forward, silu.backward)} | ffn.ACTIVATIONS


def forward(params: SwiGLU, x_BTD: Array, *, gate: str = "silu"):
    gate_forward, gate_backward = GATES[gate]
    a_BTF, saved_a = linear.forward(params["gate"], x_BTD)
    b_BTF, saved_b = linear.forward(params["up"], x_BTD)
    s_BTF, saved_gate = gate_forward(a_BTF)
    y_BTD, saved_down = linear.forward(params["down"], s_BTF * b_BTF)
    return y_BTD, (gate_backward, s_BTF, b_BTF, saved_a, saved_b, saved_gate, saved_down)


def backward(dy_BTD: Array, saved):
    gate_backward, s_BTF, b_BTF, saved_a, saved_b, saved_gate, saved_down = saved
    d_down, dh_BTF = linear.backward(dy_BTD, saved_down)
    da_BTF = gate_backward(dh_BTF * b_BTF, saved_gate)
    d_up, dx_up_BTD = linear.backward(dh_BTF * s_BTF, saved_b)
    d_gate, dx_gate_BTD = linear.backward(da_BTF, saved_a)
    return {"gate": d_gate, "up": d_up, "down": d_down}, dx_up_BTD + dx_gate_BTD
