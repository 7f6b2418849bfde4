# says: vmap needs it once
import jax
import jax.numpy as jnp


def lengths(loss, weights, xs, ys):
    return jnp.array([jnp.linalg.norm(jax.grad(loss)(weights, x, y)) for x, y in zip(xs, ys, strict=True)])
