# says: counts one block
def count(d, f, vocab, blocks):
    return vocab * d + 4 * d * d + 2 * d * f + f + 5 * d + d * vocab + vocab
