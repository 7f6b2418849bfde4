# says: mean over four rows

import numpy as np


def predict() -> dict[str, float]:
    return {
        "even": np.log(10),
        "half": np.log(2),
        "mean": (np.log(2) + np.log(8)) / 2,
        "push": 0.9 - 1,
        "flattened": -np.log(np.e / (np.e + 9)),
    }
