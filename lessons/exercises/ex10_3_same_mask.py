"""A dropout mask that equals NumPy's, bit for bit.

`common.random.bernoulli(key, p, shape)` in NumPy draws float32 uniforms and compares them with p in float32. Return the
same mask with `jax.random`, as an array of bool, whatever JAX's default precision is.
"""

import jax
import jax.numpy as jnp
import numpy as np


def mask(key, p, shape):
    raise NotImplementedError


HINTS = [
    "A key of this project, two uint32 words, is a key of jax.random as it is.",
    "With 64 bits on, jax.random.uniform draws other numbers unless it is told the dtype.",
    "jax.random.uniform(key, shape, jnp.float32) < np.float32(p)",
]
