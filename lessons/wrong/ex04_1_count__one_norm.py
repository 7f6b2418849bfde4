# says: two norms
def count(d, f, vocab, blocks):
    return vocab * d + blocks * (4 * d * d + 2 * d * f + f + 3 * d) + d * vocab + vocab
