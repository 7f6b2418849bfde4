# says: as if it had begun at update 0

import math


def schedule(step: int, *, steps: int, lr: float, warmup: int) -> float:
    if step < warmup:
        return lr * (step + 1) / warmup
    done = step / steps
    return lr * 0.5 * (1 + math.cos(math.pi * done))
