# says: all gradients are zero

import numpy as np


def clip(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    length = np.sqrt(sum(np.sum(g * g) for g in grads))
    with np.errstate(all="ignore"):
        factor = limit / length if not length <= limit or not length else 1.0
    return [g * factor for g in grads]
