# says: the first row of the batch only
import numpy as np


def backward(dpooled_BD, length):
    dx = np.zeros((len(dpooled_BD), length, dpooled_BD.shape[1]))
    dx[0] = dpooled_BD[0] * np.eye(length)[0][:, None]
    return dx
