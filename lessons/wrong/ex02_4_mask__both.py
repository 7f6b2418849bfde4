# says: has a row without a True

import numpy as np


def mask(lengths: np.ndarray, size: int, causal: bool) -> np.ndarray:
    real = np.arange(size) < lengths[:, None]
    behind = np.arange(size) <= np.arange(size)[:, None]
    full = real[:, None, :] & real[:, :, None]
    return full & behind if causal else full
