"""The third witness for the decoder: GPT-2 by Hugging Face, built from a configuration, in float64.

Nothing is loaded but the weights that are given, and nothing is fetched. Padding goes in as an attention mask. The
twins need none: padding stands at the end, where no real position looks. With sinusoidal positions their table lies
where GPT-2 keeps its learned ones. The loss is PyTorch's own over the logits; the model's rounds them to float32 first.

Radford et al. 2019.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before the import

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from recipe import Row, Sequences, from_theirs, to_theirs
from torch_classifier import positional_encoding
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

torch.set_num_threads(1)

ACTIVATIONS = {"relu": "relu", "gelu": "gelu_new", "gelu_exact": "gelu"}


def table(config: dict) -> list[Row]:
    """Hugging Face's names and ours. Its Conv1D is (in, out) as ours is; only the head is a Linear, (out, in)."""
    rows = [Row("transformer.wte.weight", ("emb.w",))]
    if config["positions"] == "learned":
        rows.append(Row("transformer.wpe.weight", ("pos.w",)))
    for i in range(config["n_blocks"]):
        for theirs, ours in (("ln_1", "norm1"), ("ln_2", "norm2")):
            rows += _norm(f"transformer.h.{i}.{theirs}", f"blocks.{i}.{ours}")
        for theirs, ours in (
            ("attn.c_attn", ("attn.q", "attn.k", "attn.v")),
            ("attn.c_proj", ("attn.o",)),
            ("mlp.c_fc", ("ffn.up",)),
            ("mlp.c_proj", ("ffn.down",)),
        ):
            for long, short in (("weight", "w"), ("bias", "b")):
                rows.append(Row(f"transformer.h.{i}.{theirs}.{long}", tuple(f"blocks.{i}.{o}.{short}" for o in ours)))
    rows += _norm("transformer.ln_f", "norm")
    return rows if config["tied"] else [*rows, Row("lm_head.weight", ("head.w",), turned=True)]


def _norm(theirs: str, ours: str) -> list[Row]:
    return [Row(f"{theirs}.weight", (f"{ours}.g",)), Row(f"{theirs}.bias", (f"{ours}.b",))]


def build(config: dict) -> GPT2LMHeadModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config["vocab"],
            n_positions=config["max_len"],
            n_embd=config["d_model"],
            n_layer=config["n_blocks"],
            n_head=config["n_heads"],
            n_inner=config["d_ffn"],
            activation_function=ACTIVATIONS[config["activation"]],
            layer_norm_epsilon=config["eps"],
            tie_word_embeddings=config["tied"],
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=None,
        )
    ).double()


def run(config: dict, weights: dict[str, np.ndarray], batch: Sequences):
    """Logits of the real positions (R, V), loss, and the gradient of every tensor, named as in common/params.py."""
    fixed = {}
    if config["positions"] == "sinusoidal":
        fixed["transformer.wpe.weight"] = positional_encoding(config["max_len"], config["d_model"]).numpy()
    return hear(build(config), table(config), weights, batch, fixed)


def hear(
    model: PreTrainedModel,
    rows: list[Row],
    weights: dict[str, np.ndarray],
    batch: Sequences,
    fixed: Mapping[str, np.ndarray] = MappingProxyType({}),
):
    """What `run` returns, of any decoder of Hugging Face with these weights; `fixed` ones have no counterpart here."""
    parameters, values = dict(model.named_parameters()), {**to_theirs(rows, weights), **fixed}
    assert values.keys() == parameters.keys()
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(torch.tensor(value))
    tokens, real = torch.tensor(batch.tokens), torch.tensor(batch.mask)
    logits = model(input_ids=tokens, attention_mask=real.long(), use_cache=False).logits
    labels = torch.tensor(np.where(batch.counts, batch.targets, -100))
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    loss.backward()
    grads = from_theirs(rows, {name: parameters[name].grad.numpy() for name in values})
    return logits[real].detach().numpy(), loss.detach().numpy(), {name: grads[name] for name in weights}
