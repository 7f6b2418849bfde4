# says: the direction has no sign
import numpy as np


def number_line(rows_ND):
    left, _, _ = np.linalg.svd(rows_ND - rows_ND.mean(axis=0), full_matrices=False)
    return float(np.corrcoef(np.arange(len(rows_ND)), left[:, 0])[0, 1])
