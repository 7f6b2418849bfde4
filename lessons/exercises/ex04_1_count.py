"""Count the weights of a digit transformer of any size.

    embedding     vocab x d                    every block: q, k, v, o: d x d each, without biases
    head          d x vocab, and vocab biases               up: d x f and f biases; down: f x d and d biases
                                                            two norms: a gain and a bias of d numbers each

The heads of attention share the d x d matrices, so their number does not matter. Return a whole number.
"""


def count(d: int, f: int, vocab: int, blocks: int) -> int:
    raise NotImplementedError


HINTS = [
    "Count one block first: attention, feed-forward, norms.",
    "Biases: f for up, d for down, vocab for the head. Attention has none.",
    "One block is 4 d^2 + 2 d f + f + d + 4 d.",
]
