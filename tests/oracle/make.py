"""Golden files: what PyTorch computes from the same weights, frozen so that any machine can test without PyTorch.

    python tests/oracle/make.py            write tests/golden/*.safetensors
    python tests/oracle/make.py --check    compute them again, hold the files and numpy_ref against them, write nothing

A file carries weights, inputs and results. The default model is too large for that: its weights come from
common/params.py, and of each gradient tensor the file keeps the products with a few random directions.
"""

import argparse
import json
from collections.abc import Iterator

import numpy as np
import torch
import torch_classifier
import torch_gpt
import torch_seq2seq
from recipe import GOLDEN, Sequences, generic, load, numpy_run, projected, sequences, worst
from safetensors.numpy import save_file

from common import gradcheck, random, tree
from common.config import ACTIVATIONS, POSITIONS, ClassifierConfig, GPTConfig, Seq2SeqConfig, TrainConfig
from common.data.batching import Examples, pad
from common.types import Array, Tree
from common.vocabulary import ID, encode
from numpy_ref import optim, train

BAR = 1e-12
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


def sequence_file(configs: dict[str, GPTConfig] | dict[str, Seq2SeqConfig]) -> dict[str, Array]:
    """Each small model with its weights, its batch and what the witness says."""
    parts: Tree = {}
    for seed, (name, config) in enumerate(configs.items()):
        weights, batch = generic(config, seed), sequences(config, seed)
        given = {part: x for part, x in batch._asdict().items() if x is not None}
        parts[name] = {"weights": weights, "batch": given} | sequence_witness(config, weights, batch)
    return tree.named(parts)


def sequence_witness(config: GPTConfig | Seq2SeqConfig, weights: Tree, batch: Sequences) -> dict[str, Tree]:
    """Logits, loss and gradients by Hugging Face or PyTorch."""
    module = torch_gpt if isinstance(config, GPTConfig) else torch_seq2seq
    logits, loss, grads = module.run(config.to_dict(), tree.named(weights), batch)
    return {"logits": logits, "loss": loss, "grads": grads}


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
            weights, batch = generic(config, number), sequences(config, number)
            found = numpy_run(config, weights, batch)
            family = type(config).__name__.removesuffix("Config").lower()
            about = f"{config.activation}, {config.positions}, {'tied' if config.tied else 'untied'}"
            yield f"live: {family} {number}, {about}", worst(found, sequence_witness(config, weights, batch))


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


def drift(old: dict[str, Array], new: dict[str, Array]) -> Iterator[tuple[str, float]]:
    """The largest difference of each group of tensors (`tiny.grads`, `adam`) of two files."""
    if list(old) != sorted(new):
        raise SystemExit("the golden files hold other names than they should: write them again")
    groups: dict[str, list[str]] = {}
    for name in new:
        groups.setdefault(".".join(name.split(".")[:-1][:2]) or name, []).append(name)
    for group, names in groups.items():
        a, b = ({name: part[name].astype(np.float64) for name in names} for part in (old, new))
        yield group, max(gradcheck.difference(a, b).values())


def main() -> int:
    parser = argparse.ArgumentParser(description="Write or check the golden files.")
    parser.add_argument("--check", action="store_true", help="write nothing; compare at 1e-12 and say what differs")
    check = parser.parse_args().check
    made = {
        "classifier": (classifier_file(), {name: config.to_dict() for name, config in MODELS.items()}),
        "optim": (optim_file(), OPTIMIZERS),
        "gpt": (sequence_file(GPTS), {name: config.to_dict() for name, config in GPTS.items()}),
        "seq2seq": (sequence_file(SEQ2SEQS), {name: config.to_dict() for name, config in SEQ2SEQS.items()}),
    }
    if not check:
        GOLDEN.mkdir(exist_ok=True)
        for name, (tensors, about) in made.items():
            contiguous = {n: np.array(x, order="C") for n, x in tensors.items()}  # safetensors would scramble others
            save_file(contiguous, GOLDEN / f"{name}.safetensors", {"about": json.dumps(about)})
            print(f"wrote {GOLDEN / name}.safetensors")
        return 0
    rows = []
    for name, (tensors, _) in made.items():
        rows += [(f"{name}: {group}", error) for group, error in drift(load(name)[0], tensors)]
    rows += [*live(), *live_optimizers(made["optim"][0]), *live_sequences()]
    for name, error in rows:
        print(f"{name:48} {error:8.1e}  {'ok' if error <= BAR else 'DIFFERS'}")
    return 0 if all(error <= BAR for _, error in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
