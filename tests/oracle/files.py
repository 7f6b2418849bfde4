"""What the golden files hold: configurations, and what PyTorch and Hugging Face compute for them.

A file carries weights, inputs and results. The default model is too large for that: its weights come from
common/params.py, and of each gradient tensor the file keeps the products with a few random directions.
"""

from dataclasses import replace
from types import ModuleType

import numpy as np
import torch
import torch_classifier
import torch_gpt
import torch_llama
import torch_seq2seq
from recipe import Sequences, generic, projected, sequences

from common import random, tree
from common.config import ClassifierConfig, GPTConfig, LlamaConfig, Seq2SeqConfig, TrainConfig
from common.data.batching import Examples, pad
from common.sampling import SequenceConfig
from common.types import Array, Tree
from common.vocabulary import ID, encode

WITNESSES: dict[type, ModuleType] = {GPTConfig: torch_gpt, LlamaConfig: torch_llama, Seq2SeqConfig: torch_seq2seq}
BATCH = {"Max ( 5 3 9 )": "9", "Second ( 7 2 )": "2", "Min ( 4 0 8 8 1 )": "0", "First ( 6 6 1 3 )": "6"}
DEFAULT = ClassifierConfig()
MODELS = {
    "tiny": ClassifierConfig(d_model=12, n_heads=3, d_ffn=10),
    "deep": ClassifierConfig(d_model=6, n_heads=1, n_blocks=3, d_ffn=14, max_len=9, eps=0.01),
}
SMALL = {"d_model": 12, "n_heads": 3, "d_ffn": 10, "max_len": 9}
GPTS = {
    "tied": GPTConfig(11, **SMALL),
    "untied": GPTConfig(7, **SMALL | {"n_heads": 2}, n_blocks=1, eps=0.01, tied=False),
    "exact": GPTConfig(7, **SMALL | {"d_model": 8, "n_heads": 1}, activation="gelu_exact"),
    "sinusoidal": GPTConfig(7, **SMALL, n_blocks=1, positions="sinusoidal", activation="relu"),
}
SEQ2SEQS = {
    "untied": Seq2SeqConfig(11, 8, **SMALL, n_encoder=1),
    "tied": Seq2SeqConfig(5, 7, **SMALL | {"n_heads": 2}, n_encoder=2, n_decoder=1, eps=0.01, tied=True),
    "learned": Seq2SeqConfig(
        6, 9, **SMALL | {"d_model": 8, "n_heads": 1}, n_encoder=1, n_decoder=1, positions="learned"
    ),
    "gelu": Seq2SeqConfig(6, 5, **SMALL, n_encoder=1, n_decoder=1, positions="learned", activation="gelu", tied=True),
}
# a head is as wide as it likes: 4 heads of 6 in a model of 12
LLAMA = LlamaConfig(11, 12, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=10, max_len=9)
SCALED = {"rope_factor": 8.0, "rope_trained_len": 8, "rope_base": 20.0}
LLAMAS = {
    "gqa": LLAMA,
    "mha-untied": replace(LLAMA, n_kv_heads=4, n_blocks=1, eps=0.01, tied=False),
    "mqa-bias-scaled": replace(LLAMA, n_kv_heads=1, bias=True, **SCALED),
    "scaled-untied": replace(LLAMA, n_blocks=1, tied=False, gate="gelu_exact", **SCALED | {"rope_low_turns": 0.5}),
    "window": replace(LLAMA, window=3, gate="gelu"),
    "partial": replace(LLAMA, d_model=16, n_heads=2, d_head=8, rope_share=0.5, gate="relu"),
}
STRETCHED = {"rope_base": 500_000.0, "rope_low_turns": 1.0, "rope_high_turns": 4.0, "rope_trained_len": 8192}
ROTARY = {
    "llama-2-7b": {"d_head": 128, "max_len": 4096},
    "llama-3_1-8b": {"d_head": 128, "max_len": 131_072, "rope_factor": 8.0} | STRETCHED,
    "llama-3_2-1b": {"d_head": 64, "max_len": 131_072, "rope_factor": 32.0} | STRETCHED,
    "smollm2-135m": {"d_head": 64, "max_len": 8192, "rope_base": 100_000.0},
}
"""How released models turn."""
OPTIMIZERS = {
    "sgd": {"optimizer": "sgd", "weight_decay": 0.0},
    "sgd-decay": {"optimizer": "sgd", "weight_decay": 0.05},
    "momentum": {"optimizer": "momentum", "weight_decay": 0.0},
    "momentum-decay": {"optimizer": "momentum", "weight_decay": 0.05, "momentum": 0.7},
    "adam": {"optimizer": "adam", "weight_decay": 0.0},
    "adam-decay": {"optimizer": "adam", "weight_decay": 0.05},
    "adam-other-betas": {"optimizer": "adam", "weight_decay": 0.0, "beta1": 0.6, "beta2": 0.9, "eps": 1e-3},
    "adamw": {"optimizer": "adamw", "weight_decay": 1.0},
    "adamw-other-betas": {"optimizer": "adamw", "weight_decay": 0.1, "beta1": 0.6, "beta2": 0.9, "eps": 1e-3},
}
UPDATES = 20


def examples() -> Examples:
    """Two to five arguments, padded to the longest."""
    return Examples(*pad([encode(text) for text in BATCH]), np.array([ID[answer] for answer in BATCH.values()]))


def witness(config: ClassifierConfig, weights: Tree, batch: Examples) -> dict[str, Tree]:
    """Logits, loss and gradients by PyTorch."""
    logits, loss, grads = torch_classifier.run(config.to_dict(), tree.named(weights), *batch)
    return {"logits": logits, "loss": loss, "grads": grads}


def classifier_file() -> dict[str, Array]:
    batch = examples()
    parts: Tree = {"tokens": batch.tokens, "mask": batch.mask, "targets": batch.targets}
    for seed, (name, config) in enumerate(MODELS.items()):
        weights = generic(config, seed)
        parts[name] = {"weights": weights} | witness(config, weights, batch)
    found = witness(DEFAULT, generic(DEFAULT, 5), batch)
    parts["default"] = found | {"grads": tree.named(projected(tree.build(found["grads"])))}
    return tree.named(parts)


def sequence_file(configs: dict[str, SequenceConfig]) -> dict[str, Array]:
    """Each small model with its weights, its batch and what the witness says."""
    parts: Tree = {}
    for seed, (name, config) in enumerate(configs.items()):
        weights, batch = generic(config, seed), sequences(config, seed)
        given = {part: x for part, x in batch._asdict().items() if x is not None}
        parts[name] = {"weights": weights, "batch": given} | sequence_witness(config, weights, batch)
    return tree.named(parts)


def sequence_witness(config: SequenceConfig, weights: Tree, batch: Sequences) -> dict[str, Tree]:
    """Logits, loss and gradients by Hugging Face or PyTorch."""
    logits, loss, grads = WITNESSES[type(config)].run(config.to_dict(), tree.named(weights), batch)
    return {"logits": logits, "loss": loss, "grads": grads}


def rotary_file() -> dict[str, Array]:
    """The speeds of released models, by Hugging Face's formulas in float64."""
    with torch_llama.wide():
        return {name: torch_llama.speeds(LlamaConfig(1, **settings).to_dict()) for name, settings in ROTARY.items()}


def optim_file() -> dict[str, Array]:
    """The parameters after each optimizer's updates, and the gradients and learning rates that led there."""
    shapes = {"w": (5, 3), "b": (4,)}
    start = {n: random.normal(random.key(i), s) for i, (n, s) in enumerate(shapes.items())}
    grads = {n: random.normal(random.key(10 + i), (UPDATES, *s)) for i, (n, s) in enumerate(shapes.items())}
    lr = 0.05 / np.sqrt(1.0 + np.arange(UPDATES))
    parts: Tree = {"start": start, "grads": grads, "lr": lr}
    for name, settings in OPTIMIZERS.items():
        weights = {n: torch.tensor(w, requires_grad=True) for n, w in start.items()}
        updater = torch_optimizer(list(weights.values()), TrainConfig(**settings))
        for step in range(UPDATES):
            updater.param_groups[0]["lr"] = lr[step]
            for n, w in weights.items():
                w.grad = torch.tensor(grads[n][step])
            updater.step()
        parts[name] = {n: w.detach().numpy() for n, w in weights.items()}
    return tree.named(parts)


def torch_optimizer(weights: list[torch.Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    decay = {"weight_decay": config.weight_decay}
    adam = decay | {"betas": (config.beta1, config.beta2), "eps": config.eps}
    if config.optimizer == "sgd":
        return torch.optim.SGD(weights, **decay)
    if config.optimizer == "momentum":
        return torch.optim.SGD(weights, momentum=config.momentum, **decay)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer](weights, **adam)
