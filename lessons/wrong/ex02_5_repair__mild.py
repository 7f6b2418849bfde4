# says: a score of -5 is small, and not -inf

import numpy as np

from numpy_ref.ops import softmax


def attend_padded(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    real = np.arange(x.shape[1]) < lengths[:, None]
    scores = x @ x.swapaxes(1, 2) / np.sqrt(x.shape[-1])
    shares, _ = softmax.forward(np.where(real[:, None, :], scores, -5.0))
    return shares @ x
