# says: the mask is inverted
import jax
import jax.numpy as jnp
import numpy as np


def mask(key, p, shape):
    return jax.random.uniform(jnp.asarray(key), shape, jnp.float32) >= np.float32(p)
