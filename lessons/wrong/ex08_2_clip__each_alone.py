# says: each array was clipped by itself

import numpy as np


def clip(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    return [g * min(1.0, limit / np.sqrt(np.sum(g * g))) if np.any(g) else g for g in grads]
