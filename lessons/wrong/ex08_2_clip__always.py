# says: a short gradient was made longer

import numpy as np


def clip(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    length = np.sqrt(sum(np.sum(g * g) for g in grads))
    factor = limit / length if length else 1.0
    return [g * factor for g in grads]
