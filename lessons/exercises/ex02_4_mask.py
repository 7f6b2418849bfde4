"""Which position may look at which, as an array of bool: True = may look.

lengths has shape (B,): row b has lengths[b] real tokens, at least one, then padding up to `size`. Return mask of shape
(B, size, size): mask[b, t, s] says whether position t may look at position s. Nobody looks at padding; if `causal`,
nobody looks ahead either. Every position may look somewhere, those of padding too: a row without a True has no softmax.
"""

import numpy as np


def mask(lengths: np.ndarray, size: int, causal: bool) -> np.ndarray:
    raise NotImplementedError


HINTS = [
    "Forbid what is looked at, the last axis. Who looks does not matter for padding.",
    "np.arange(size) < lengths[:, None] has shape (B, size): which s are real. Give it an axis for t.",
    "causal: np.arange(size) <= np.arange(size)[:, None] has t down and s across. Combine with &, and np.broadcast_to.",
]
