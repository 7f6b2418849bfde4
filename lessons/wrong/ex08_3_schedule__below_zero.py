# says: the rate becomes negative

import math


def schedule(step: int, *, steps: int, lr: float, warmup: int) -> float:
    if step < warmup:
        return lr * (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    return lr * math.cos(math.pi * done)
