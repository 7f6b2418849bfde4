# says: the bias once for every part
import numpy as np


def through_norm(parts, g, b, r):
    return [*(g * r * (part - np.mean(part)) + b for part in parts), b]
