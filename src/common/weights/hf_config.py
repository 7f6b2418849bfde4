"""config.json of Hugging Face and LlamaConfig: from one to the other and back.

Read are LlamaForCausalLM and MistralForCausalLM (the same model with a sliding window). What a file says and
LlamaConfig cannot express is refused by name: a model that is read is the model that was meant.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.config import LlamaConfig
from common.errors import UserError
from common.files import FileError

_ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "relu": "relu",
    "gelu": "gelu_exact",
    "gelu_new": "gelu",
    "gelu_fast": "gelu",
    "gelu_pytorch_tanh": "gelu",
}
_ARCHITECTURES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM"}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "LlamaForCausalLM": {"max_position_embeddings": 2048, "num_key_value_heads": None, "sliding_window": None},
    "MistralForCausalLM": {"max_position_embeddings": 131_072, "num_key_value_heads": 8, "sliding_window": 4096},
}
"""What their configuration classes mean where a file is silent."""


def from_json(path: Path, told: Mapping[str, Any]) -> LlamaConfig:
    """The configuration that a config.json tells. Raises FileError naming what is missing or cannot be read."""
    architecture = _architecture(path, told)
    ask = _Asked(path, dict(_DEFAULTS[architecture]) | {key: value for key, value in told.items() if value is not None})
    for key in ("mlp_bias", "quantization_config"):
        if told.get(key):
            raise FileError(path, f"has {key}, which cannot be read")
    heads, d_model = ask.number("num_attention_heads"), ask.number("hidden_size")
    d_head = ask.number("head_dim", d_model // max(heads, 1))
    kept = told.get("sliding_window", _DEFAULTS[architecture]["sliding_window"])
    windowed = architecture == "MistralForCausalLM" and kept is not None
    try:
        return LlamaConfig(
            vocab=ask.number("vocab_size"),
            d_model=d_model,
            n_blocks=ask.number("num_hidden_layers"),
            n_heads=heads,
            n_kv_heads=ask.number("num_key_value_heads", heads),
            d_head=d_head,
            d_ffn=ask.number("intermediate_size"),
            max_len=ask.number("max_position_embeddings"),
            eps=ask.real("rms_norm_eps", 1e-6),
            gate=_gate(path, ask.get("hidden_act", str, "silu")),
            tied=ask.get("tie_word_embeddings", bool, False),
            bias=ask.get("attention_bias", bool, False),
            window=ask.number("sliding_window") if windowed else 0,
            **_rope(ask, d_head),
        )
    except FileError:
        raise
    except UserError as error:
        raise FileError(path, f"describes a model that cannot be: {error}") from None


def to_json(config: LlamaConfig, where: Path) -> dict[str, Any]:
    """A config.json for the model. Raises FileError where theirs cannot express ours."""
    windowed = config.window > 0
    if config.turning != config.d_head:
        raise FileError(where, "cannot be written: Hugging Face's LLaMA turns whole heads, not a share of each")
    if config.d_model % config.n_heads:
        raise FileError(where, "cannot be written: Hugging Face asks for a d_model that is a multiple of n_heads")
    if windowed and config.bias:
        raise FileError(where, "cannot be written: Hugging Face's Mistral has a window, but no biases")
    family = "mistral" if windowed else "llama"
    scaling = {
        "rope_type": "llama3",
        "factor": config.rope_factor,
        "low_freq_factor": config.rope_low_turns,
        "high_freq_factor": config.rope_high_turns,
        "original_max_position_embeddings": config.rope_trained_len,
    }
    return {
        "architectures": [_ARCHITECTURES[family]],
        "model_type": family,
        "vocab_size": config.vocab,
        "hidden_size": config.d_model,
        "num_hidden_layers": config.n_blocks,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.d_head,
        "intermediate_size": config.d_ffn,
        "max_position_embeddings": config.max_len,
        "rms_norm_eps": config.eps,
        "rope_theta": config.rope_base,
        "rope_scaling": scaling if config.rope_factor > 1 else None,
        "hidden_act": {"gelu": "gelu_pytorch_tanh", "gelu_exact": "gelu"}.get(config.gate, config.gate),
        "tie_word_embeddings": config.tied,
    } | ({"sliding_window": config.window} if windowed else {"attention_bias": config.bias, "mlp_bias": False})


class _Asked:
    """A config.json, asked for by name and type."""

    def __init__(self, path: Path, told: Mapping[str, Any]):
        self.path, self.told = path, told

    def get(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        value = self.told.get(key)
        if value is None:
            value = default
        if value is None:
            raise FileError(self.path, f"does not say {key}")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise FileError(self.path, f"has a {key} that cannot be read: {str(value)[:40]!r}")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        return self.get(key, int, default)

    def real(self, key: str, default: float | None = None) -> float:
        value = self.get(key, (int, float), default)
        return float(value) if abs(value) < 1e300 else float("inf")


def _architecture(path: Path, told: Mapping[str, Any]) -> str:
    """The one architecture the file names."""
    known = tuple(_DEFAULTS)
    said = told.get("architectures") or [_ARCHITECTURES.get(str(told.get("model_type")), told.get("model_type"))]
    if not isinstance(said, list) or said[0] not in known:
        name = str(said[0] if isinstance(said, list) else said)[:60]
        raise FileError(path, f"is a model of the architecture {name!r}; read are {' and '.join(known)}")
    return said[0]


def _gate(path: Path, name: str) -> str:
    if name not in _ACTIVATIONS:
        raise FileError(path, f"has the hidden_act {name!r}; known are {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def _rope(ask: _Asked, d_head: int) -> dict[str, Any]:
    """Rotary positions, in the newer form (all in rope_parameters) or the older one (rope_theta and rope_scaling)."""
    scaling = ask.get("rope_parameters", dict, ask.told.get("rope_scaling") or {})
    if any(isinstance(value, dict) for value in scaling.values()):
        raise FileError(ask.path, "has other rotary positions in some layers than in others, which cannot be read")
    told = _Asked(ask.path, {**ask.told} | {key: value for key, value in scaling.items() if value is not None})
    kind = told.get("rope_type", str, scaling.get("type") or "default")
    share = told.real("partial_rotary_factor", 1.0)
    if not 0 < share <= 1:
        raise FileError(ask.path, f"has a partial_rotary_factor of {share:g}, which is no share")
    rope = {"rope_base": told.real("rope_theta", 10_000.0), "rope_share": int(d_head * share) / max(d_head, 1)}
    if kind == "default":
        return rope
    if kind != "llama3":
        raise FileError(ask.path, f"scales its positions by {kind!r}; only 'llama3' and 'default' can be read")
    return rope | {
        "rope_factor": told.real("factor"),
        "rope_low_turns": told.real("low_freq_factor"),
        "rope_high_turns": told.real("high_freq_factor"),
        "rope_trained_len": told.number("original_max_position_embeddings", ask.number("max_position_embeddings")),
    }
