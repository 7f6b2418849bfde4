"""Sinusoidal positions: where a token stands, written as a vector. The same constant table for both twins.

    P[t, 2i]     = sin(t / 10000^(2i / D))
    P[t, 2i + 1] = cos(t / 10000^(2i / D))

Each pair of columns is a clock hand that turns at its own speed: the first pair once in 6.3 positions, the last once
in about 63,000. Nothing here is learned.

Vaswani et al. 2017, section 3.5.    Lesson: lessons/01_embeddings.md
"""

from functools import lru_cache

import numpy as np

from common.types import Array


@lru_cache(maxsize=8)
def sinusoidal(length: int, width: int) -> Array:
    """The table P_TD, float64, shape (length, width), read-only; the width must be even (ValueError)."""
    if width % 2:
        raise ValueError(f"sine and cosine come in pairs: the width must be even, not {width}")
    t_T1 = np.arange(length)[:, None]
    speed = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = t_T1 * speed
    table_TD = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, width)
    table_TD.setflags(write=False)  # it is kept from call to call
    return table_TD
