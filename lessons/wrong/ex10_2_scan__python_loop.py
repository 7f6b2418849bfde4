# says: the loop is written out: 64 steps make a program
import jax
import jax.numpy as jnp


def descend(loss, w, lr, n):
    losses = []
    for _ in range(n):
        value, grad = jax.value_and_grad(loss)(w)
        losses.append(value)
        w = w - lr * grad
    return w, jnp.stack(losses)
