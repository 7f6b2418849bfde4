# says: attention has no biases
def count(d, f, vocab, blocks):
    return vocab * d + blocks * (4 * d * d + 4 * d + 2 * d * f + f + 5 * d) + d * vocab + vocab
