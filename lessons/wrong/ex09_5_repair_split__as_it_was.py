# says: texts stand in both parts
import random


def split(rows, seed):
    rows = random.Random(seed).sample(rows, len(rows))
    cut = len(rows) * 4 // 5
    return rows[:cut], rows[cut:]
