"""One table: what each tensor of a LLaMA is called here, by Hugging Face, and in GGUF.

Both of them store a weight as (out, in), ours are (in, out); the embedding is (V, D) everywhere.
"""

from common import params
from common.config import LlamaConfig

ROWS = (
    ("emb.w", "model.embed_tokens.weight", "token_embd.weight"),
    ("blocks.{i}.norm1.g", "model.layers.{i}.input_layernorm.weight", "blk.{i}.attn_norm.weight"),
    ("blocks.{i}.attn.q.w", "model.layers.{i}.self_attn.q_proj.weight", "blk.{i}.attn_q.weight"),
    ("blocks.{i}.attn.q.b", "model.layers.{i}.self_attn.q_proj.bias", "blk.{i}.attn_q.bias"),
    ("blocks.{i}.attn.k.w", "model.layers.{i}.self_attn.k_proj.weight", "blk.{i}.attn_k.weight"),
    ("blocks.{i}.attn.k.b", "model.layers.{i}.self_attn.k_proj.bias", "blk.{i}.attn_k.bias"),
    ("blocks.{i}.attn.v.w", "model.layers.{i}.self_attn.v_proj.weight", "blk.{i}.attn_v.weight"),
    ("blocks.{i}.attn.v.b", "model.layers.{i}.self_attn.v_proj.bias", "blk.{i}.attn_v.bias"),
    ("blocks.{i}.attn.o.w", "model.layers.{i}.self_attn.o_proj.weight", "blk.{i}.attn_output.weight"),
    ("blocks.{i}.attn.o.b", "model.layers.{i}.self_attn.o_proj.bias", "blk.{i}.attn_output.bias"),
    ("blocks.{i}.norm2.g", "model.layers.{i}.post_attention_layernorm.weight", "blk.{i}.ffn_norm.weight"),
    ("blocks.{i}.ffn.gate.w", "model.layers.{i}.mlp.gate_proj.weight", "blk.{i}.ffn_gate.weight"),
    ("blocks.{i}.ffn.up.w", "model.layers.{i}.mlp.up_proj.weight", "blk.{i}.ffn_up.weight"),
    ("blocks.{i}.ffn.down.w", "model.layers.{i}.mlp.down_proj.weight", "blk.{i}.ffn_down.weight"),
    ("norm.g", "model.norm.weight", "output_norm.weight"),
    ("head.w", "lm_head.weight", "output.weight"),
)
HUGGING_FACE, GGUF = 1, 2
"""Columns of the table."""


def theirs(config: LlamaConfig, column: int) -> dict[str, str]:
    """Our name to theirs for every tensor of a model, in tree order."""
    forms = {row[0]: row[column] for row in ROWS}
    return {name: _filled(forms, name) for name in params.names(config)}


def turned(name: str) -> bool:
    """Whether the tensor of this name (ours) lies transposed in their files."""
    return name.endswith(".w") and name != "emb.w"


def _filled(forms: dict[str, str], name: str) -> str:
    if not name.startswith("blocks."):
        return forms[name]
    _, i, rest = name.split(".", maxsplit=2)
    return forms["blocks.{i}." + rest].replace("{i}", i)
