"""Predictions: answer without running anything. Each answer is one number.

a   Four blocks of two sublayers each. In how many ways does a number come from the bottom to the top, if each sublayer
    may be passed through or past?
b   A block of width 64 has 49,728 weights. Its width and its feed-forward are both doubled (128 and 512). Roughly how
    many times as many weights: 2, 4 or 8?
c   Three positions hold (0, 6, 3). Twice, each position is replaced by itself plus the mean of all three, as on the
    page. What does position 2 hold in the end?
d   A backward hands a wrong dx from block 2 to block 1, of a stack of four blocks (0 to 3). The gradients of how many
    blocks are wrong?
e   The model has two blocks. How many of its 516 test expressions did the trained one answer when block 0's attention
    was left out: nearer to 0, 250 or 500?
"""


def answers():
    a, b, c, d, e = (NotImplemented,) * 5  # your five numbers
    if NotImplemented in (a, b, c, d, e):
        raise NotImplementedError
    return a, b, c, d, e


HINTS = [
    "a: every sublayer doubles the ways; there are eight sublayers.",
    "b: nearly all weights are in matrices, and both sides of each doubled. c: it is on the page.",
    "d: the fault shows below, never in the block that hands down. e: look at the second picture.",
]
