"""The third witness for LLaMA: Hugging Face's decoders, built from a configuration, in float64.

`LlamaForCausalLM` knows neither windows nor heads that turn in part. The same decoder has the one as Mistral and the
other as Phi-3, so these are asked where a configuration says so. Their `sliding_window` counts as our `window`: a token
sees itself and the `window - 1` places before it.

Whatever the weights are, all three narrow to float32 in RMSNorm, in the softmax and for angles. Under `wide` their
source files find a `torch` whose float32 is float64: every formula stays theirs.

Touvron et al. 2023; Jiang et al. 2023; Abdin et al. 2024.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before the import

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from unittest import mock

import numpy as np
import torch
from recipe import Row, Sequences
from torch_gpt import ACTIVATIONS, hear
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    modeling_rope_utils,
)
from transformers.models.llama import modeling_llama
from transformers.models.mistral import modeling_mistral
from transformers.models.phi3 import modeling_phi3

SOURCES = (modeling_llama, modeling_mistral, modeling_phi3, modeling_rope_utils)
GATES = ACTIVATIONS | {"silu": "silu"}


class _Wide(ModuleType):
    float = float32 = torch.float64

    def __getattr__(self, name: str):
        return getattr(torch, name)


@contextmanager
def wide() -> Iterator[None]:
    """Within it these models compute in float64 alone."""
    with ExitStack() as stack:
        for source in SOURCES:
            stack.enter_context(mock.patch.object(source, "torch", _Wide("torch")))
        yield


def table(config: dict) -> list[Row]:
    """Hugging Face's names and ours. All their matrices are (out, in); Phi-3 keeps q, k, v in one, gate and up too."""
    rows = [Row("model.embed_tokens.weight", ("emb.w",)), Row("model.norm.weight", ("norm.g",))]
    fused = config["rope_share"] < 1
    attn = {"qkv": ("q", "k", "v"), "o": ("o",)} if fused else {name: (name,) for name in "qkvo"}
    ffn = {"gate_up": ("gate", "up"), "down": ("down",)} if fused else {n: (n,) for n in ("gate", "up", "down")}
    for i in range(config["n_blocks"]):
        for theirs, ours in (("input_layernorm", "norm1"), ("post_attention_layernorm", "norm2")):
            rows.append(Row(f"model.layers.{i}.{theirs}.weight", (f"blocks.{i}.{ours}.g",)))
        for long, short, parts in (("self_attn", "attn", attn), ("mlp", "ffn", ffn)):
            for theirs, ours in parts.items():
                name = f"model.layers.{i}.{long}.{theirs}_proj"
                rows.append(Row(f"{name}.weight", tuple(f"blocks.{i}.{short}.{o}.w" for o in ours), turned=True))
                if config["bias"] and short == "attn":
                    rows.append(Row(f"{name}.bias", tuple(f"blocks.{i}.{short}.{o}.b" for o in ours)))
    return rows if config["tied"] else [*rows, Row("lm_head.weight", ("head.w",), turned=True)]


def settings(config: dict) -> dict:
    """What the three have in common."""
    rope = {"rope_type": "default", "rope_theta": config["rope_base"]}
    if config["rope_factor"] > 1:
        rope |= {
            "rope_type": "llama3",
            "factor": config["rope_factor"],
            "low_freq_factor": config["rope_low_turns"],
            "high_freq_factor": config["rope_high_turns"],
            "original_max_position_embeddings": config["rope_trained_len"],
        }
    return {
        "vocab_size": config["vocab"],
        "hidden_size": config["d_model"],
        "intermediate_size": config["d_ffn"],
        "num_hidden_layers": config["n_blocks"],
        "num_attention_heads": config["n_heads"],
        "num_key_value_heads": config["n_kv_heads"],
        "head_dim": config["d_head"],
        "hidden_act": GATES[config["gate"]],
        "max_position_embeddings": config["max_len"],
        "rms_norm_eps": config["eps"],
        "rope_parameters": rope,
        "tie_word_embeddings": config["tied"],
        "attn_implementation": "eager",
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
    }


def build(config: dict) -> PreTrainedModel:
    """The model that has what the configuration asks for. Phi-3 splits its one matrix evenly, so its heads must."""
    given = settings(config)
    if config["rope_share"] < 1:
        assert not config["bias"] and config["n_kv_heads"] == config["n_heads"] and config["rope_factor"] == 1
        given["rope_parameters"]["partial_rotary_factor"] = config["rope_share"]
        return Phi3ForCausalLM(Phi3Config(**given, sliding_window=config["window"] or None)).double()
    if config["window"]:
        assert not config["bias"]
        return MistralForCausalLM(MistralConfig(**given, sliding_window=config["window"])).double()
    return LlamaForCausalLM(LlamaConfig(**given, attention_bias=config["bias"])).double()


def run(config: dict, weights: dict[str, np.ndarray], batch: Sequences):
    """Logits of the real positions (R, V), loss, and the gradient of every tensor, named as in common/params.py."""
    with wide():
        return hear(build(config), table(config), weights, batch)


def speeds(config: dict) -> np.ndarray:
    """The speed of each pair as Hugging Face computes it: float32, or under `wide` float64."""
    return modeling_llama.LlamaRotaryEmbedding(LlamaConfig(**settings(config))).inv_freq.numpy()
