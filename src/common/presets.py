"""The sizes of well-known models, to ask what they would take: their configurations, none of their weights."""

from typing import Any

from common.config import ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig

_LLAMA3: dict[str, Any] = {"rope_base": 500_000.0, "d_head": 128, "n_kv_heads": 8}
_LONG: dict[str, Any] = {"max_len": 131_072, "rope_factor": 32.0}

PRESETS: dict[str, ModelConfig] = {
    "digits": ClassifierConfig(),
    "gpt2": GPTConfig(50_257, 768, n_blocks=12, n_heads=12, d_ffn=3072, max_len=1024),
    "smollm2-135m": LlamaConfig(
        49_152, 576, n_blocks=30, n_heads=9, n_kv_heads=3, d_head=64, d_ffn=1536, max_len=8192, rope_base=100_000.0
    ),
    "smollm2-1.7b": LlamaConfig(
        49_152, 2048, n_blocks=24, n_heads=32, n_kv_heads=32, d_head=64, d_ffn=8192, max_len=8192, rope_base=130_000.0
    ),
    "llama-3.2-1b": LlamaConfig(128_256, 2048, n_blocks=16, n_heads=32, d_ffn=8192, **_LLAMA3 | _LONG | {"d_head": 64}),
    "llama-3-8b": LlamaConfig(
        128_256, 4096, n_blocks=32, n_heads=32, d_ffn=14_336, max_len=8192, tied=False, **_LLAMA3
    ),
    "llama-3-70b": LlamaConfig(
        128_256, 8192, n_blocks=80, n_heads=64, d_ffn=28_672, max_len=8192, tied=False, **_LLAMA3
    ),
}
