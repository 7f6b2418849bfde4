"""Six predictions. An error of one percent is allowed; so is computing.

    first      how far Adam's first update moves a weight whose gradient is 0.02, with lr 0.001
    louder     the same, after somebody has multiplied the loss by 50
    steady     how many times lr * g a step of momentum becomes in the end, for mu 0.95 and a gradient that stays g
    shrunk     what AdamW makes of a weight of 3.0 whose gradient is exactly 0 in the first update: lr 0.01, decay 0.5
    updates    how many updates there are in 3 epochs of 1,000 examples in batches of 64, leaving remainders out
    share      a batch of 100 is too large for the memory, so its mean gradient is made of two mean gradients, of 60 and
               of 40 examples: the factor of the first

Return a dict with these names.
"""


def predict() -> dict[str, float]:
    raise NotImplementedError


HINTS = [
    "first and louder: m^ / sqrt(v^) at t = 1 does not know how large g was.",
    "steady: g + mu g + mu^2 g + ... is a geometric series. shrunk: decay takes its share of the weight, and no more.",
    "updates: count those of one epoch first. share: a mean over 100 is a sum divided by 100.",
]
