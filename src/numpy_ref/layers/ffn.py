"""Feed-forward: at every position, on its own, widen the vector, bend it, narrow it again.

    h = act(x @ up.w + up.b)         F units; with relu each is on or off
    y = h @ down.w + down.b          what the units write back

Backward. A chain of three: down, the activation, up, each in reverse.

Vaswani et al. 2017, section 3.3.    Lesson: lessons/03_blocks.md    Twin: jax_impl/layers/ffn.py
"""

from collections.abc import Callable
from functools import partial

from common.params import FFN
from common.types import Array
from numpy_ref.layers import linear
from numpy_ref.ops import gelu, relu

ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "relu": (relu.forward, relu.backward),
    "gelu": (gelu.forward, gelu.backward),
    "gelu_exact": (partial(gelu.forward, exact=True), gelu.backward),
}


def forward(params: FFN, x_BTD: Array, *, activation: str = "relu"):
    act_forward, act_backward = ACTIVATIONS[activation]
    a_BTF, saved_up = linear.forward(params["up"], x_BTD)
    h_BTF, saved_act = act_forward(a_BTF)
    y_BTD, saved_down = linear.forward(params["down"], h_BTF)
    return y_BTD, (act_backward, saved_up, saved_act, saved_down)


def backward(dy_BTD: Array, saved):
    act_backward, saved_up, saved_act, saved_down = saved
    d_down, dh_BTF = linear.backward(dy_BTD, saved_down)
    da_BTF = act_backward(dh_BTF, saved_act)
    d_up, dx_BTD = linear.backward(da_BTF, saved_up)
    return {"up": d_up, "down": d_down}, dx_BTD
