"""Which positions may be looked at, as arrays of bool: True = may look. Plain NumPy, the same for both twins."""

import numpy as np

from common.types import AnyArray, Array


def causal(length: int) -> Array:
    """mask_TT: position t may look at itself and what came before, (length, length)."""
    return np.arange(length) <= np.arange(length)[:, None]


def padding(lengths: Array, size: int) -> Array:
    """mask_BS: the first `lengths[b]` of `size` places of row b are real, (B, size)."""
    return np.arange(size) < np.asarray(lengths)[:, None]


def seen(position_BT: AnyArray, size: int, window: int = 0) -> AnyArray:
    """mask_BTS over `size` places: a token at position p may look at places 0 to p, of those at the last `window`.

    A window of 0 is none. The positions may be an array of either twin, and so is the mask.
    """
    p_BT1, place_S = position_BT[:, :, None], np.arange(size)
    causal_BTS = p_BT1 >= place_S
    return causal_BTS & (place_S > p_BT1 - window) if window else causal_BTS
