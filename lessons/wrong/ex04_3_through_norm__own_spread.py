# says: r of the whole sum
import numpy as np


def through_norm(parts, g, b, r):
    return [*(g * (part - np.mean(part)) / np.std(part) for part in parts), b]
