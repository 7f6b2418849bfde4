# says: these are the squares: take the root
import jax
import jax.numpy as jnp


def lengths(loss, weights, xs, ys):
    each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(weights, xs, ys)
    return jnp.sum(each.reshape(len(xs), -1) ** 2, axis=1)
