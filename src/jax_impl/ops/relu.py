"""ReLU. The math is in numpy_ref/ops/relu.py.

There is no backward: jax.vjp differentiates forward. There is no `saved` either: XLA decides what to keep for the
backward pass and what to compute again. So it is in every file of this package.
"""

import jax


def forward(x: jax.Array) -> jax.Array:
    on = x > 0
    y = x * on
    return y
