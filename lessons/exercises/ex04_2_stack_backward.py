"""The way back through a stack.

`backs[i](dy)` is the backward of block i: it returns (gradients of its weights, gradient of its input). Block 0 was the
first to be computed. `dy` is the gradient of the last block's output.

Return (a list with the gradients of the weights of block 0, 1, 2, ...; the gradient of the stack's input).
"""


def backward(dy, backs):
    raise NotImplementedError


HINTS = [
    "The last block is the first on the way back.",
    "What a block returns as the gradient of its input is the gradient of the output of the block below.",
    "You collect from the top; the list is wanted from the bottom: turn it round at the end.",
]
