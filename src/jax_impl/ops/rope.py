"""RoPE. The math is in numpy_ref/ops/rope.py.

The table of cosines and sines is made in NumPy, in float64, and rounded once: float32 angles would be off by 5e-4 at
position 8,000. It is not rounded further where x is bfloat16: the turn is computed in float32, its result returned in
the type of x.
"""

import jax
import jax.numpy as jnp


def forward(x: jax.Array, *, turn: tuple[jax.Array, jax.Array] | None) -> jax.Array:
    if turn is None:
        return x
    cos, sin = (_beside(part, x) for part in turn)
    half = cos.shape[-1]
    a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    y = jnp.concatenate([a * cos - b * sin, b * cos + a * sin, rest], axis=-1).astype(x.dtype)
    return y


def _beside(part: jax.Array, x: jax.Array) -> jax.Array:
    return part.reshape(*part.shape[:2], *[1] * (x.ndim - 3), part.shape[-1])
