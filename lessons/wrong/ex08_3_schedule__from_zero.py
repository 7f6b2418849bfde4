# says: the first update has a rate of zero

import math


def schedule(step: int, *, steps: int, lr: float, warmup: int) -> float:
    if step < warmup:
        return lr * step / warmup
    done = (step - warmup) / (steps - warmup)
    return lr * 0.5 * (1 + math.cos(math.pi * done))
