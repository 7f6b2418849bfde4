"""Gradient descent in one `jax.lax.scan`.

Make `n` steps `w' = w - lr * gradient of loss at w` from `w`. Return the last `w`, and the loss before each step, an
array of n numbers. No Python loop: `n` may be a million.
"""

import jax
import jax.numpy as jnp


def descend(loss, w, lr, n):
    raise NotImplementedError


HINTS = [
    "jax.lax.scan(step, carry, None, length=n) calls step(carry, None) n times; it stacks what comes beside the carry.",
    "step returns a pair: the new carry, and what is to be stacked.",
    "jax.value_and_grad gives the loss before the step and the gradient at once.",
]
