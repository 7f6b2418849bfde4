# says: one number was wanted for each example
import jax
import jax.numpy as jnp


def lengths(loss, weights, xs, ys):
    def mean(w):
        return jnp.mean(jax.vmap(loss, in_axes=(None, 0, 0))(w, xs, ys))

    return jnp.sqrt(jnp.sum(jax.grad(mean)(weights) ** 2))
