"""Feed-forward: at every position, on its own, widen the vector, drop what is negative, narrow it again.

    h = relu(x @ up.w + up.b)        F units, each on or off
    y = h @ down.w + down.b          what the units that are on write back

Backward. A chain of three: down, relu, up, each in reverse.

Vaswani et al. 2017, section 3.3.    Lesson: lessons/03_blocks.md    Twin: jax_impl/layers/ffn.py
"""

from common.params import FFN
from common.types import Array
from numpy_ref.layers import linear
from numpy_ref.ops import relu


def forward(params: FFN, x_BTD: Array):
    a_BTF, saved_up = linear.forward(params["up"], x_BTD)
    h_BTF, saved_relu = relu.forward(a_BTF)
    y_BTD, saved_down = linear.forward(params["down"], h_BTF)
    return y_BTD, (saved_up, saved_relu, saved_down)


def backward(dy_BTD: Array, saved):
    saved_up, saved_relu, saved_down = saved
    d_down, dh_BTF = linear.backward(dy_BTD, saved_down)
    da_BTF = relu.backward(dh_BTF, saved_relu)
    d_up, dx_BTD = linear.backward(da_BTF, saved_up)
    return {"up": d_up, "down": d_down}, dx_BTD
