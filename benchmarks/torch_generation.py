"""Greedy generation with a KV cache by hand in PyTorch, for comparison: same parameters, same tokens.

Written to be fast in eager mode: the cache is one block of memory that each step writes a row of, nothing is kept for a
backward pass, prompts are read all at once. All prompts of a batch have one length and nothing ends early, which spares
it the masks that our own loop computes.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)
from torch_sequences import Parameters, SequenceModel, encode, ffn, heads, joined, linear, norm, parameters, place

from common.config import GPTConfig, Seq2SeqConfig
from common.types import Array, Tree
from common.vocabulary import START

Cache = list[torch.Tensor]
"""Of each block, keys and values, (2, B, H, size, K)."""


def generator(params: Tree, *, model: SequenceModel) -> Callable[[Array, int], Array]:
    """A function from prompts, (B, T), and a number of new tokens L to those, (B, L): the most probable each time.

    For an encoder-decoder the prompts are sources without padding. `params` is copied.
    """
    torch.set_num_threads(1)
    p = parameters(params, grads=False)
    whole = _gpt if isinstance(model, GPTConfig) else _seq2seq

    @torch.inference_mode()
    def generate(prompts_BT: Array, new: int) -> Array:
        return whole(p, torch.from_numpy(prompts_BT), new, config=model).numpy()

    return generate


def _gpt(p: Parameters, prompts_BT: torch.Tensor, new: int, *, config: GPTConfig) -> torch.Tensor:
    B, T = prompts_BT.shape
    cache, head = _empty(B, T + new, config.n_blocks, config), p["emb.w"] if config.tied else p["head.w"]

    def read(tokens_BT: torch.Tensor, seen: int) -> torch.Tensor:
        """The token after these, of which the first stands at place `seen`."""
        upto = seen + tokens_BT.shape[1]
        x = F.embedding(tokens_BT, p["emb.w"]) + place(p, "", upto, config)[seen:]
        for i in range(config.n_blocks):
            at = f"blocks.{i}."
            x = x + _attend(p, at + "attn", norm(p, at + "norm1", x, config), cache[i], seen, config)
            x = x + ffn(p, at + "ffn", norm(p, at + "norm2", x, config), config)
        return F.linear(norm(p, "norm", x[:, -1], config), head).argmax(dim=-1)

    return _loop(read, prompts_BT, new)


def _seq2seq(p: Parameters, src_BS: torch.Tensor, new: int, *, config: Seq2SeqConfig) -> torch.Tensor:
    B = len(src_BS)
    cache = _empty(B, 1 + new, config.n_decoder, config)
    x_BSD = encode(p, src_BS, None, config=config)
    across = [heads(linear(p, f"decoder.{i}.cross.kv", x_BSD), 2, config) for i in range(config.n_decoder)]

    def read(tokens_BT: torch.Tensor, seen: int) -> torch.Tensor:
        upto = seen + tokens_BT.shape[1]
        y = F.embedding(tokens_BT, p["tgt.w"]) + place(p, "tgt_", upto, config)[seen:]
        for i, (k, v) in enumerate(across):
            at = f"decoder.{i}."
            y = norm(p, at + "norm1", y + _attend(p, at + "attn", y, cache[i], seen, config), config)
            (q,) = heads(linear(p, at + "cross.q", y), 1, config)
            o = joined(F.scaled_dot_product_attention(q, k, v))
            y = norm(p, at + "norm2", y + linear(p, at + "cross.o", o), config)
            y = norm(p, at + "norm3", y + ffn(p, at + "ffn", y, config), config)
        last = y[:, -1]
        return (F.linear(last, p["tgt.w"]) if config.tied else linear(p, "head", last)).argmax(dim=-1)

    return _loop(read, torch.full((B, 1), START), new)


def _loop(read: Callable[[torch.Tensor, int], torch.Tensor], begun_BT: torch.Tensor, new: int) -> torch.Tensor:
    found = [read(begun_BT, 0)]
    while len(found) < new:
        found.append(read(found[-1][:, None], begun_BT.shape[1] + len(found) - 1))
    return torch.stack(found, dim=1)


def _empty(batch: int, size: int, blocks: int, config: SequenceModel) -> Cache:
    return [torch.empty(2, batch, config.n_heads, size, config.d_model // config.n_heads) for _ in range(blocks)]


def _attend(
    p: Parameters, name: str, n: torch.Tensor, kv: torch.Tensor, seen: int, config: SequenceModel
) -> torch.Tensor:
    """Self-attention of rows of which the first stands at place `seen`; their keys and values join the cache."""
    upto = seen + n.shape[1]
    q, k, v = heads(linear(p, name + ".qkv", n), 3, config)
    kv[0, :, :, seen:upto], kv[1, :, :, seen:upto] = k, v
    o = F.scaled_dot_product_attention(q, kv[0, :, :, :upto], kv[1, :, :, :upto], is_causal=seen == 0)
    return linear(p, name + ".o", joined(o))
