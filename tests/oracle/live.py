"""numpy_ref against PyTorch and Hugging Face, now: many random small models."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch_llama
from files import DEFAULT, OPTIMIZERS, ROTARY, UPDATES, examples, sequence_witness, witness
from recipe import generic, numpy_run, sequences, worst

from common import gradcheck, tree
from common.config import (
    ACTIVATIONS,
    GATES,
    POSITIONS,
    ClassifierConfig,
    GPTConfig,
    LlamaConfig,
    Seq2SeqConfig,
    TrainConfig,
)
from common.data.batching import Examples
from common.positions import speeds
from common.sampling import SequenceConfig
from common.types import Array
from numpy_ref import optim, train


def live() -> Iterator[tuple[str, float]]:
    """numpy_ref against PyTorch, now: many random small models, and the default one."""
    rng = np.random.default_rng(0)
    batch = examples()
    for number in range(12):
        heads = int(rng.integers(1, 4))
        config = ClassifierConfig(
            d_model=2 * heads * int(rng.integers(1, 5)),
            n_heads=heads,
            n_blocks=int(rng.integers(1, 4)),
            d_ffn=int(rng.integers(1, 30)),
            max_len=int(rng.integers(8, 20)),
        )
        yield f"live: d {config.d_model}, {config.n_blocks} blocks, {heads} heads", apart(config, number, batch)
    yield "live: the default model", apart(DEFAULT, 5, batch)


def live_sequences() -> Iterator[tuple[str, float]]:
    """The same for random small decoders and encoder-decoders: every activation, kind of positions and of head."""
    rng = np.random.default_rng(1)
    for number in range(12):
        heads = int(rng.integers(1, 4))
        common = {
            "d_model": 2 * heads * int(rng.integers(1, 4)),
            "n_heads": heads,
            "d_ffn": int(rng.integers(1, 20)),
            "max_len": int(rng.integers(6, 12)),
            "activation": ACTIVATIONS[number % 3],
            "positions": POSITIONS[number // 3 % 2],
            "tied": number // 6 == 0,
        }
        depth = [int(n) for n in rng.integers(1, 4, 3)]
        for config in (
            GPTConfig(int(rng.integers(3, 20)), n_blocks=depth[0], **common),
            Seq2SeqConfig(*rng.integers(3, 20, 2).tolist(), n_encoder=depth[1], n_decoder=depth[2], **common),
        ):
            about = f"{config.activation}, {config.positions}, {'tied' if config.tied else 'untied'}"
            yield from asked(config, number, about)


def live_llamas() -> Iterator[tuple[str, float]]:
    """Random small LLaMAs: every way to share heads, gate, kind of head, bias, scaling, window, partial rotation."""
    rng = np.random.default_rng(2)
    for number in range(16):
        kv, group = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        plain = LlamaConfig(
            int(rng.integers(3, 20)),
            d_model=kv * group * int(rng.integers(2, 6)),
            n_blocks=int(rng.integers(1, 4)),
            n_heads=kv * group,
            n_kv_heads=kv,
            d_head=2 * int(rng.integers(1, 5)),
            d_ffn=int(rng.integers(1, 20)),
            max_len=int(rng.integers(7, 12)),
            rope_base=float(rng.uniform(3, 1000)),
            gate=GATES[number % 4],
            tied=number // 4 % 2 == 0,
        )
        even = {"d_model": 4 * kv, "n_heads": kv, "d_head": 4, "rope_share": 0.5}
        for kind, change in {
            "plain": {"bias": number % 2 == 0},
            "scaled": {"rope_factor": float(rng.uniform(1, 40)), "rope_trained_len": int(rng.integers(3, 7))},
            "window": {"window": int(rng.integers(1, 6))},
            "partial": even | {"window": number % 3},
        }.items():
            config = replace(plain, **change)
            heads = f"{config.n_heads} heads on {config.n_kv_heads}"
            yield from asked(config, number, f"{kind}, {heads}, {'tied' if config.tied else 'untied'}")


def live_rotary() -> Iterator[tuple[str, float]]:
    """The speeds of released models as Hugging Face ships them, in float32, against ours."""
    for name, settings in ROTARY.items():
        config = LlamaConfig(1, **settings)
        shipped = torch_llama.speeds(config.to_dict())
        assert shipped.dtype == np.float32
        yield f"live: float32 speeds of {name}", float(np.max(np.abs(shipped / speeds(config) - 1)))


def asked(config: SequenceConfig, number: int, about: str) -> Iterator[tuple[str, float]]:
    weights, batch = generic(config, number), sequences(config, number)
    family = type(config).__name__.removesuffix("Config").lower()
    error = worst(numpy_run(config, weights, batch), sequence_witness(config, weights, batch))
    yield f"live: {family} {number}, {about}", error


def apart(config: ClassifierConfig, seed: int, batch: Examples) -> float:
    weights = generic(config, seed)
    loss, grads, logits = train.loss_and_grads(weights, batch, model=config)
    mine = {"logits": logits, "loss": loss, "grads": tree.named(grads)}
    return max(gradcheck.difference(mine, witness(config, weights, batch)).values())


def live_optimizers(golden: dict[str, Array]) -> Iterator[tuple[str, float]]:
    parts = tree.build(golden)
    for name, settings in OPTIMIZERS.items():
        config = TrainConfig(**settings)
        found, state = parts["start"], optim.init(parts["start"], config)
        for step in range(UPDATES):
            grads = tree.map(lambda g, step=step: g[step], parts["grads"])
            found, state = optim.update(found, grads, state, lr=float(parts["lr"][step]), config=config)
        yield f"live: {name}", max(gradcheck.difference(found, parts[name]).values())
