# says: each number was cut by itself

import numpy as np


def clip(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    return [np.clip(g, -limit, limit) for g in grads]
