# says: depends on what else was drawn
import random


def split(rows, seed):
    texts = random.Random(seed).sample(sorted(set(rows)), len(set(rows)))
    kept = set(texts[: len(texts) * 4 // 5])
    return [r for r in rows if r in kept], [r for r in rows if r not in kept]
