"""RoPE: turn every query and key by an angle that grows with its position.

The first R of a head's K numbers are R / 2 points in a plane, (a_i, b_i) = (x_i, x_{i + R/2}). Pair i of a token at
position t turns by the angle t * speed_i (common/positions.py makes the table of cosines and sines):

    a' = a cos - b sin
    b' = b cos + a sin

Turning both of two vectors by the same angle leaves their product as it is, so q_t . k_s depends on t - s alone: the
model sees distances, and no position is written into the residual sum. Numbers beyond R stay as they are.

Backward. A turn is undone by turning back, and so is its gradient: its matrix is orthogonal, the transpose is the
inverse.
    da = da' cos + db' sin
    db = db' cos - da' sin

Su et al. 2021.    Twin: jax_impl/ops/rope.py
"""

import numpy as np

from common.types import Array


def forward(x: Array, *, turn: tuple[Array, Array] | None):
    """x is (B, T, ..., K) and `turn` the cosines and sines, both (B, T, R / 2); without one x stays as it is."""
    if turn is None:
        return x, None
    cos, sin = (_beside(part, x) for part in turn)
    half = cos.shape[-1]
    a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    y = np.concatenate([a * cos - b * sin, b * cos + a * sin, rest], axis=-1)
    return y, (cos, sin)


def backward(dy: Array, saved):
    if saved is None:
        return dy
    cos, sin = saved
    half = cos.shape[-1]
    da, db, rest = dy[..., :half], dy[..., half : 2 * half], dy[..., 2 * half :]
    dx = np.concatenate([da * cos + db * sin, db * cos - da * sin, rest], axis=-1)
    return dx


def _beside(part: Array, x: Array) -> Array:
    """(B, T, R / 2) with an axis of one for each axis of heads."""
    return part.reshape(*part.shape[:2], *[1] * (x.ndim - 3), part.shape[-1])
