# says: padding may look nowhere, and real tokens at padding

import numpy as np


def mask(lengths: np.ndarray, size: int, causal: bool) -> np.ndarray:
    real = np.arange(size) < lengths[:, None]
    behind = np.arange(size) <= np.arange(size)[:, None]
    full = np.broadcast_to(real[:, :, None], (len(lengths), size, size))
    return full & behind if causal else full
