"""The sequence models by hand in PyTorch, for comparison: same parameters, same arithmetic, backward by autograd.

Written to be fast in eager mode: PyTorch's fused kernels for attention, norm, loss and AdamW; q, k and v of a
self-attention come out of one matrix product, as do k and v of one that looks across. Weights are (out, in), as PyTorch
keeps them. The parameters are those of common/params.py, so that losses and tokens can be held against ours.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)

from common import tree
from common.config import GPTConfig, Seq2SeqConfig, TrainConfig
from common.data.batching import AnyExamples
from common.positions import sinusoidal
from common.types import Array, Tree

Parameters = dict[str, torch.Tensor]
SequenceModel = GPTConfig | Seq2SeqConfig
ACTIVATIONS = {"relu": F.relu, "gelu": lambda x: F.gelu(x, approximate="tanh"), "gelu_exact": F.gelu}
_TOGETHER = {"attn.q": ("attn.qkv", "qkv"), "cross.k": ("cross.kv", "kv")}
"""The first of the projections that are computed together, the name of all, and their letters."""


def parameters(params: Tree, *, grads: bool = True) -> Parameters:
    """Copies of a tree's tensors by their dotted names, those of `_TOGETHER` side by side."""
    named = {name: torch.tensor(np.array(leaf)) for name, leaf in tree.items(params)}
    for name in list(named):
        for first, (together, letters) in _TOGETHER.items():
            if f".{first}." in name:
                parts = [named.pop(name.replace(f".{first}.", f".{first[:-1]}{letter}.")) for letter in letters]
                named[name.replace(f".{first}.", f".{together}.")] = torch.cat(parts, dim=-1)
    turned = {name: w.T.contiguous() if _is_matrix(name) else w for name, w in named.items()}
    return {name: w.requires_grad_(grads) for name, w in turned.items()}


def _is_matrix(name: str) -> bool:
    """Whether it is the matrix of a linear layer: the tables of tokens and positions stay as they are."""
    return name.endswith(".w") and (name == "head.w" or name.count(".") > 1)


def linear(p: Parameters, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, p[name + ".w"], p.get(name + ".b"))


def norm(p: Parameters, name: str, x: torch.Tensor, config: SequenceModel) -> torch.Tensor:
    return F.layer_norm(x, (config.d_model,), p[name + ".g"], p[name + ".b"], config.eps)


def ffn(p: Parameters, name: str, x: torch.Tensor, config: SequenceModel) -> torch.Tensor:
    return linear(p, name + ".down", ACTIVATIONS[config.activation](linear(p, name + ".up", x)))


def heads(x_BTA: torch.Tensor, parts: int, config: SequenceModel) -> tuple[torch.Tensor, ...]:
    """`parts` times (B, H, T, K), from rows in which they stand side by side, A = parts H K."""
    B, T, _ = x_BTA.shape
    return x_BTA.view(B, T, parts, config.n_heads, -1).permute(2, 0, 3, 1, 4).unbind()


def joined(o_BHTK: torch.Tensor) -> torch.Tensor:
    """(B, T, H K)"""
    return o_BHTK.transpose(1, 2).flatten(2)


def drop(x: torch.Tensor, config: SequenceModel, training: bool) -> torch.Tensor:
    return F.dropout(x, config.dropout, training) if config.dropout else x


def place(p: Parameters, side: str, length: int, config: SequenceModel) -> torch.Tensor:
    """The positions' vectors, (T, D)."""
    if config.positions == "learned":
        return p[f"{side}pos.w"][:length]
    return _sinusoidal(length, config.d_model)


_TABLES: dict[tuple[int, int], torch.Tensor] = {}


def _sinusoidal(length: int, width: int) -> torch.Tensor:
    if (length, width) not in _TABLES:
        _TABLES[length, width] = torch.tensor(sinusoidal(length, width), dtype=torch.float32)
    return _TABLES[length, width]


def gpt_logits(p: Parameters, tokens_BT: torch.Tensor, *, config: GPTConfig, training: bool = False) -> torch.Tensor:
    x = drop(F.embedding(tokens_BT, p["emb.w"]) + place(p, "", tokens_BT.shape[1], config), config, training)
    for i in range(config.n_blocks):
        at = f"blocks.{i}."
        q, k, v = heads(linear(p, at + "attn.qkv", norm(p, at + "norm1", x, config)), 3, config)
        o = joined(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        x = x + drop(linear(p, at + "attn.o", o), config, training)
        x = x + drop(ffn(p, at + "ffn", norm(p, at + "norm2", x, config), config), config, training)
    return F.linear(norm(p, "norm", x, config), p["emb.w"] if config.tied else p["head.w"])


def encode(
    p: Parameters, src_BS: torch.Tensor, mask_B11S: torch.Tensor, *, config: Seq2SeqConfig, training: bool = False
) -> torch.Tensor:
    x = drop(F.embedding(src_BS, p["src.w"]) + place(p, "src_", src_BS.shape[1], config), config, training)
    for i in range(config.n_encoder):
        at = f"encoder.{i}."
        q, k, v = heads(linear(p, at + "attn.qkv", x), 3, config)
        o = joined(F.scaled_dot_product_attention(q, k, v, attn_mask=mask_B11S))
        x = norm(p, at + "norm1", x + drop(linear(p, at + "attn.o", o), config, training), config)
        x = norm(p, at + "norm2", x + drop(ffn(p, at + "ffn", x, config), config, training), config)
    return x


def seq2seq_logits(
    p: Parameters,
    src_BS: torch.Tensor,
    mask_BS: torch.Tensor,
    tokens_BT: torch.Tensor,
    *,
    config: Seq2SeqConfig,
    training: bool = False,
) -> torch.Tensor:
    mask_B11S = mask_BS[:, None, None, :]
    x = encode(p, src_BS, mask_B11S, config=config, training=training)
    y = drop(F.embedding(tokens_BT, p["tgt.w"]) + place(p, "tgt_", tokens_BT.shape[1], config), config, training)
    for i in range(config.n_decoder):
        at = f"decoder.{i}."
        q, k, v = heads(linear(p, at + "attn.qkv", y), 3, config)
        o = joined(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        y = norm(p, at + "norm1", y + drop(linear(p, at + "attn.o", o), config, training), config)
        (q,) = heads(linear(p, at + "cross.q", y), 1, config)
        k, v = heads(linear(p, at + "cross.kv", x), 2, config)
        o = joined(F.scaled_dot_product_attention(q, k, v, attn_mask=mask_B11S))
        y = norm(p, at + "norm2", y + drop(linear(p, at + "cross.o", o), config, training), config)
        y = norm(p, at + "norm3", y + drop(ffn(p, at + "ffn", y, config), config, training), config)
    return F.linear(y, p["tgt.w"]) if config.tied else linear(p, "head", y)


def logits(p: Parameters, inputs: dict[str, torch.Tensor], *, config: SequenceModel, training: bool) -> torch.Tensor:
    if isinstance(config, GPTConfig):
        return gpt_logits(p, inputs["tokens"], config=config, training=training)
    return seq2seq_logits(p, inputs["src"], inputs["mask"], inputs["tokens"], config=config, training=training)


def trainer(
    params: Tree, examples: AnyExamples, *, model: SequenceModel, train: TrainConfig
) -> Callable[[Array, Array], list[float]]:
    """A function that makes an update for each row of `order` (U, batch), at the rates `lrs` (U,); returns the losses.

    An update is forward, loss, backward and AdamW on those examples; `params` is copied. The loss leaves the device
    at the end only, as ours does.
    """
    p = parameters(params)
    adam = torch.optim.AdamW(
        p.values(), betas=(train.beta1, train.beta2), eps=train.eps, weight_decay=train.weight_decay, fused=True
    )
    given = {name: torch.from_numpy(part) for name, part in examples._asdict().items()}
    labels_NT = given["targets"].masked_fill(~given["weights"], -100)

    def one(rows_B: torch.Tensor, lr: float) -> torch.Tensor:
        adam.param_groups[0]["lr"] = lr
        adam.zero_grad(set_to_none=True)
        inputs = {name: given[name][rows_B] for name in given if name in ("src", "mask", "tokens")}
        found = logits(p, inputs, config=model, training=True)
        loss = F.cross_entropy(found.flatten(0, 1), labels_NT[rows_B].flatten())
        loss.backward()
        if train.clip_norm:
            torch.nn.utils.clip_grad_norm_(p.values(), train.clip_norm, foreach=True)
        adam.step()
        return loss.detach()

    def updates(order: Array, lrs: Array) -> list[float]:
        losses = [one(rows_B, float(lr)) for rows_B, lr in zip(torch.from_numpy(order), lrs, strict=True)]
        return torch.stack(losses).tolist()

    return updates
