"""How straight is the number line?

`rows_ND` are the embedding's rows of the digits 0, 1, 2, ..., one below the other. Return |r|: the size of
the correlation between a digit's value and its row's place along the direction in which the rows differ most.
"""

import numpy as np


def number_line(rows_ND: np.ndarray) -> float:
    raise NotImplementedError


HINTS = [
    "Take the mean row away from each row first: the direction of greatest spread is that of the differences.",
    "left, spread, right = np.linalg.svd(centred, full_matrices=False): the places are left[:, 0] * spread[0].",
    "np.corrcoef of the values and the places; the direction has no sign, so neither has the answer.",
]
