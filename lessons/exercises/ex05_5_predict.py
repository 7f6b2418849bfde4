"""Predictions: answer without running anything. Each answer is one number.

a   x = (1, 2), the columns of three tokens are (3, 0), (1, 1), (0, 2), all biases 0. Which token wins (0, 1 or 2)?
b   All biases grow by 10. By how much does the lead of the winner over the second grow?
c   Pooled is position 0 of six. How many of the six positions of the last block's output receive a gradient?
d   And of the embedded x, below both blocks?
e   Pooled is the mean of six positions, no padding. dpooled[0] is 3. What is dx[0] at position 4?
"""


def answers():
    a, b, c, d, e = (NotImplemented,) * 5  # your five numbers
    if NotImplemented in (a, b, c, d, e):
        raise NotImplementedError
    return a, b, c, d, e


HINTS = [
    "a: multiply and add, three times. b: every logit grows by the same number.",
    "c: what was not read has moved nothing. d: position 0 looked at all of them.",
    "e: the gradient of a mean is spread evenly.",
]
