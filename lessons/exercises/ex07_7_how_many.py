"""Predict: how many of the model's 27 tensors get a wrong gradient?

In the order of forward: emb.w; in each of two blocks attn.q.w, k.w, v.w, o.w, norm1.g, norm1.b, ffn.up.w, ffn.up.b,
ffn.down.w, ffn.down.b, norm2.g, norm2.b; then head.w and head.b. One mistake at a time is planted:

    loss        dlogits is p + y, not p - y
    head bias   the head's db is divided by the number of rows
    relu        block 1 forgets the ReLU: da = dh
    scale       block 1 forgets the division by sqrt(K) in dq and dk
    residual    block 0 forgets the straight way of the sum before norm1: dx = dx_attn + dsrc

Return the five numbers in a dict with these names.
"""


def how_many() -> dict[str, int]:
    raise NotImplementedError


HINTS = [
    "A wrong number is passed on towards the tokens, never back towards the loss.",
    "A gradient that is handed to the optimizer, as that of a weight or a bias, is passed on to nobody.",
    "ReLU in block 1: up.w and up.b are computed from da. What else of block 1 comes after them on the way back?",
]
