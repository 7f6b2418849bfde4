# says: softmax is applied again

import numpy as np


def predict() -> dict[str, float]:
    return {
        "even": np.log(10),
        "half": np.log(2),
        "mean": (np.log(2) + np.log(8)) / 2,
        "push": (0.9 - 1) / 4,
        "flattened": 0.0,
    }
