# says: biases of the feed-forward
def count(d, f, vocab, blocks):
    return vocab * d + blocks * (4 * d * d + 2 * d * f + 4 * d) + d * vocab + vocab
