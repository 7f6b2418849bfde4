# says: logarithm to base 2

import numpy as np


def predict() -> dict[str, float]:
    return {
        "even": np.log(10),
        "half": 1.0,
        "mean": (np.log(2) + np.log(8)) / 2,
        "push": (0.9 - 1) / 4,
        "flattened": -np.log(np.e / (np.e + 9)),
    }
