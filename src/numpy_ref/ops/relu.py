"""ReLU: keep what is positive, silence the rest.

    y = max(x, 0)

Backward. Where a unit was on, y follows x one to one; where it was off, nothing x does is seen:
    dx = dy where x > 0, else 0
At exactly 0 there is a kink and no derivative; 0 is taken, as everywhere else.

Nair and Hinton 2010.    Lesson: lessons/03_blocks.md    Twin: jax_impl/ops/relu.py
"""

from common.types import Array


def forward(x: Array):
    on = (x.real > 0).astype(x.real.dtype)  # .real: a complex step displaces x by a hair, which must not decide
    y = x * on
    return y, on


def backward(dy: Array, saved):
    on = saved
    dx = dy * on
    return dx
