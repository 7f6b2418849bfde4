"""How large a step the optimizer takes, step by step: a warm-up, then a constant, a straight line or half a cosine."""

import math


def learning_rate(step: int, *, steps: int, lr: float, schedule: str, warmup: int) -> float:
    """The learning rate of update number `step` (from 0) of a run of `steps` updates.

    It rises in a straight line over the first `warmup` updates to `lr`; then it stays (`constant`) or falls to zero at
    update `steps`, in a straight line (`linear`) or as half a cosine (`cosine`; Loshchilov and Hutter 2017).
    """
    if step < warmup:
        return lr * (step + 1) / warmup
    done = (step - warmup) / max(steps - warmup, 1)
    if schedule == "constant":
        return lr
    if schedule == "linear":
        return lr * (1 - done)
    if schedule == "cosine":
        return lr * 0.5 * (1 + math.cos(math.pi * done))
    raise ValueError(f"no schedule {schedule!r}")
