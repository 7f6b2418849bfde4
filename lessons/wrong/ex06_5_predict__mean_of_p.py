# says: mean of the surprises

import numpy as np


def predict() -> dict[str, float]:
    return {
        "even": np.log(10),
        "half": np.log(2),
        "mean": -np.log((1 / 2 + 1 / 8) / 2),
        "push": (0.9 - 1) / 4,
        "flattened": -np.log(np.e / (np.e + 9)),
    }
