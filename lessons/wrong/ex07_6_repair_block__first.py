# says: ffn is right and norm1 is wrong

from numpy_ref.layers import attention, ffn, layernorm


def repair_block(dy, saved_attn, saved_norm1, saved_ffn, saved_norm2):
    d_norm2, dsum2 = layernorm.backward(dy, saved_norm2)
    d_ffn, dm_ffn = ffn.backward(dsum2, saved_ffn)
    d_norm1, dsum1 = layernorm.backward(dm_ffn, saved_norm1)
    d_attn, dx_attn, dsrc = attention.backward(dsum1, saved_attn)
    dx = dx_attn + dsrc
    return {"attn": d_attn, "norm1": d_norm1, "ffn": d_ffn, "norm2": d_norm2}, dx
