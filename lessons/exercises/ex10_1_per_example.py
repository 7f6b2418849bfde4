"""The length of each example's gradient.

`loss(weights, x, y)` is the loss of ONE example; `weights` is an array of any shape, `xs` and `ys` hold N
examples along their first axis. Return an array of N numbers: the Euclidean length of the gradient of each example's
loss by the weights. No Python loop.
"""

import jax
import jax.numpy as jnp


def lengths(loss, weights, xs, ys):
    raise NotImplementedError


HINTS = [
    "jax.grad(loss) gives the gradient of one example. What turns a function of one into a function of many?",
    "jax.vmap(jax.grad(loss), in_axes=(None, 0, 0)): the weights are shared, the examples are not.",
    "The result has one axis more than the weights: sum the squares over all axes but the first, then the root.",
]
