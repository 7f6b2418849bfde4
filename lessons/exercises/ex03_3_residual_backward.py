"""The way back through one wrapped sublayer, y = norm(x + f(x)).

`norm_back(dy)` returns the gradient of the norm's input, `f_back(df)` that of the sublayer's input. Arrays are
(B, T, D). Return dx, the gradient of x.
"""


def backward(dy_BTD, norm_back, f_back):
    raise NotImplementedError


HINTS = [
    "Start at the end: dy goes through the norm first, and what comes out belongs to the sum.",
    "A sum sends its gradient to both of its parts, unchanged.",
    "x was used twice: its gradient is what came past the sublayer plus what came through it.",
]
