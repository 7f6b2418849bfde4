# says: the mean leaves out the newest number
import jax.numpy as jnp


def start():
    return (0.0, 0.0)


def update(state, x):
    total, count = state
    return (total + x, count + 1), total / jnp.maximum(count, 1)
