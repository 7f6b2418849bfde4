"""Somebody wrote the backward pass of a block, and three lines of it are wrong. Find them.

Forward was

    a = attention(x, x)      m = norm1(x + a)      f = ffn(m)      y = norm2(m + f)

The four `backward` functions of the layers are right. Delete the first line of the body and repair the others. The
grader says which tensors come out wrong: the mistake stands between the last right one and the first wrong one, counted
from the loss.
"""

from numpy_ref.layers import attention, ffn, layernorm


def repair_block(dy, saved_attn, saved_norm1, saved_ffn, saved_norm2):
    raise NotImplementedError
    d_norm2, dsum2 = layernorm.backward(dy, saved_norm2)
    d_ffn, dm_ffn = ffn.backward(dy + dsum2, saved_ffn)
    d_norm1, dsum1 = layernorm.backward(dm_ffn, saved_norm1)
    d_attn, dx_attn, dsrc = attention.backward(dsum1, saved_attn)
    dx = dx_attn + dsrc
    return {"attn": d_attn, "norm1": d_norm1, "ffn": d_ffn, "norm2": d_norm2}, dx


HINTS = [
    "Begin at the end of forward, which is the beginning of backward: does dy arrive where it should?",
    "m is used twice, by the feed-forward and by the sum after it. Where ways meet, gradients are added.",
    "x is used three times: as x and as src of attention, and by the sum after it.",
]
