# says: rows are lost
import random


def split(rows, seed):
    texts = random.Random(seed).sample(sorted(set(rows)), len(set(rows)))
    cut = len(texts) * 4 // 5
    return texts[:cut], texts[cut:]
