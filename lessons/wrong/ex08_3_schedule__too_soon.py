# says: reaches zero one update too soon

import math


def schedule(step: int, *, steps: int, lr: float, warmup: int) -> float:
    if step < warmup:
        return lr * (step + 1) / warmup
    done = (step - warmup) / (steps - 1 - warmup)
    return lr * 0.5 * (1 + math.cos(math.pi * done))
