"""The third witness for the encoder-decoder: torch's own nn.TransformerEncoderLayer and nn.TransformerDecoderLayer.

Both halves get their padding masks. The twins' decoder needs none: padding stands at the end, where no real position
looks. Attention in torch has biases and in the twins none: they are set to zero and their gradients left out. torch
keeps its matrices as (out, in), with q, k and v on top of each other.

Vaswani et al. 2017.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from recipe import Row, Sequences, from_theirs, to_theirs
from torch import Tensor, nn
from torch_classifier import positional_encoding

torch.set_num_threads(1)

ACTIVATIONS = {"relu": F.relu, "gelu": partial(F.gelu, approximate="tanh"), "gelu_exact": F.gelu}


class Seq2Seq(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        width = config["d_model"]
        layer = {
            "d_model": width,
            "nhead": config["n_heads"],
            "dim_feedforward": config["d_ffn"],
            "dropout": 0.0,
            "activation": ACTIVATIONS[config["activation"]],
            "layer_norm_eps": config["eps"],
            "batch_first": True,
            "norm_first": False,
        }
        self.src, self.tgt = nn.Embedding(config["src_vocab"], width), nn.Embedding(config["tgt_vocab"], width)
        self.learned = config["positions"] == "learned"
        if self.learned:
            self.src_pos, self.tgt_pos = (nn.Embedding(config["max_len"], width) for _ in range(2))
        self.encoder = nn.ModuleList(nn.TransformerEncoderLayer(**layer) for _ in range(config["n_encoder"]))
        self.decoder = nn.ModuleList(nn.TransformerDecoderLayer(**layer) for _ in range(config["n_decoder"]))
        self.head = None if config["tied"] else nn.Linear(width, config["tgt_vocab"])
        self.double()

    def positions(self, side: str, length: int) -> Tensor:
        if not self.learned:
            return positional_encoding(length, self.src.embedding_dim)
        return getattr(self, f"{side}_pos")(torch.arange(length))

    def forward(self, src: Tensor, src_real: Tensor, tokens: Tensor, real: Tensor) -> Tensor:
        x = self.src(src) + self.positions("src", src.shape[1])
        for layer in self.encoder:
            x = layer(x, src_key_padding_mask=~src_real)
        length = tokens.shape[1]
        ahead = torch.ones(length, length, dtype=torch.bool).triu(diagonal=1)
        y = self.tgt(tokens) + self.positions("tgt", length)
        for layer in self.decoder:
            y = layer(y, x, tgt_mask=ahead, tgt_key_padding_mask=~real, memory_key_padding_mask=~src_real)
        return F.linear(y, self.tgt.weight) if self.head is None else self.head(y)


def table(config: dict) -> list[Row]:
    """torch's names and ours."""
    rows = [Row("src.weight", ("src.w",)), Row("tgt.weight", ("tgt.w",))]
    if config["positions"] == "learned":
        rows += [Row("src_pos.weight", ("src_pos.w",)), Row("tgt_pos.weight", ("tgt_pos.w",))]
    for half, attentions in (
        ("encoder", {"self_attn": "attn"}),
        ("decoder", {"self_attn": "attn", "multihead_attn": "cross"}),
    ):
        for i in range(config[f"n_{half}"]):
            at = f"{half}.{i}"
            for theirs, ours in attentions.items():
                qkv = tuple(f"{at}.{ours}.{name}.w" for name in "qkv")
                rows.append(Row(f"{at}.{theirs}.in_proj_weight", qkv, turned=True))
                rows.append(Row(f"{at}.{theirs}.out_proj.weight", (f"{at}.{ours}.o.w",), turned=True))
            for theirs, ours in (("linear1", "ffn.up"), ("linear2", "ffn.down")):
                rows += _linear(f"{at}.{theirs}", f"{at}.{ours}")
            for norm in ("norm1", "norm2", "norm3")[: 1 + len(attentions)]:
                rows.append(Row(f"{at}.{norm}.weight", (f"{at}.{norm}.g",)))
                rows.append(Row(f"{at}.{norm}.bias", (f"{at}.{norm}.b",)))
    return rows if config["tied"] else rows + _linear("head", "head")


def _linear(theirs: str, ours: str) -> list[Row]:
    return [Row(f"{theirs}.weight", (f"{ours}.w",), turned=True), Row(f"{theirs}.bias", (f"{ours}.b",))]


def run(config: dict, weights: dict[str, np.ndarray], batch: Sequences):
    """Logits of the real positions (R, V), loss, and the gradient of every tensor, named as in common/params.py."""
    model, rows = Seq2Seq(config), table(config)
    parameters, values = dict(model.named_parameters()), to_theirs(rows, weights)
    biases = parameters.keys() - values.keys()
    assert all(name.endswith(("attn.in_proj_bias", "attn.out_proj.bias")) for name in biases)
    assert values.keys() <= parameters.keys()
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(torch.tensor(value))
        for name in biases:
            parameters[name].zero_()
    real = torch.tensor(batch.mask)
    logits = model(torch.tensor(batch.src), torch.tensor(batch.src_mask), torch.tensor(batch.tokens), real)
    labels = torch.tensor(np.where(batch.counts, batch.targets, -100))
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    loss.backward()
    grads = from_theirs(rows, {name: parameters[name].grad.numpy() for name in values})
    return logits[real].detach().numpy(), loss.detach().numpy(), {name: grads[name] for name in weights}
