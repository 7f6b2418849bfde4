"""Which positions may be looked at, as arrays of bool: True = may look. Plain NumPy, the same for both twins."""

import numpy as np

from common.types import Array


def causal(length: int) -> Array:
    """mask_TT: position t may look at itself and what came before, (length, length)."""
    return np.arange(length) <= np.arange(length)[:, None]


def padding(lengths: Array, size: int) -> Array:
    """mask_BS: the first `lengths[b]` of `size` places of row b are real, (B, size)."""
    return np.arange(size) < np.asarray(lengths)[:, None]
