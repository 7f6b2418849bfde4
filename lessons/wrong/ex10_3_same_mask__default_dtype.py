# says: other numbers than NumPy's: say jnp.float32
import jax
import jax.numpy as jnp


def mask(key, p, shape):
    return jax.random.uniform(jnp.asarray(key), shape) < p
