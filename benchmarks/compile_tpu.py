"""Compile the JAX twin's programs with the real TPU compiler, on a machine that has no TPU.

    python benchmarks/compile_tpu.py [--write]          (needs the package libtpu: pip install 'jax[tpu]')

The compiler is part of libtpu and asks no device, only what kind it should compile for. It refuses programs that the
hardware cannot run or that do not fit its memory. What it accepts compiles for that TPU; nothing here runs on one.
"""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# libtpu asks the cloud what machine it is on, and waits for an answer: these are the answers
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-4")
os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import report

from common import random
from common.config import (
    ClassifierConfig,
    DigitsConfig,
    GPTConfig,
    ModelConfig,
    Seq2SeqConfig,
    SequenceConfig,
    TrainConfig,
)
from common.data import digits, sequences
from common.data.batching import AnyExamples
from common.vocabulary import WORDS

TOPOLOGIES = {"v4": "v4:2x2x1", "v5e": "v5e:2x2", "v5p": "v5p:2x2x1", "v6e": "v6e:2x2"}
"""The smallest of each kind that libtpu describes. Programs are compiled for one of its chips."""
TRAIN = TrainConfig(examples=1_000)
UPDATES, MODELS = 50, 64


def programs() -> Iterator[tuple[str, Callable, tuple]]:
    """Each program's name, the function, and arguments of the right shapes."""
    import jax

    from jax_impl import family
    from jax_impl import train as twin
    from jax_impl.device import population

    for name, (model, data) in models().items():
        state = twin.init(model, TRAIN)
        batch = data.take(slice(0, TRAIN.batch_size))
        step = partial(twin.train_step, lr=1e-3, model=model, train=TRAIN)
        key = random.key(0) if getattr(model, "dropout", 0.0) else None
        yield f"{name}: forward", partial(family.logits, model=model), (state.params, batch)
        yield f"{name}: update", lambda *a, step=step, key=key: step(*a, key=key), (state.params, state.opt, batch)

    model, data = models()["classifier"]
    state = twin.init(model, TRAIN)
    order, lrs = np.zeros((UPDATES, TRAIN.batch_size), np.int32), np.zeros(UPDATES, np.float32)
    given = ((state.params, state.opt), data, order)
    for dtype in ("float32", "bfloat16"):
        updates = partial(twin._updates, model=model, train=replace(TRAIN, dtype=dtype))
        yield f"classifier: {UPDATES} updates, {dtype}", updates, (*given, lrs, np.int32(UPDATES))
    many = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((MODELS, *np.shape(leaf)), leaf.dtype), given)
    together = partial(population._updates, model=model, train=TRAIN)
    yield f"classifier: {UPDATES} updates of {MODELS} models", together, (*many, lrs, np.int32(UPDATES))


def models() -> dict[str, tuple[ModelConfig, AnyExamples]]:
    """The three families with their default settings, dropout where they have it, and examples of what they read."""
    task, n = SequenceConfig(), len(WORDS)
    texts, pairs = (sequences.load(task, seed=0, examples=TRAIN.batch_size, pairs=p).train for p in (False, True))
    return {
        "classifier": (ClassifierConfig(), digits.load(DigitsConfig(), seed=0, examples=TRAIN.examples).train),
        "gpt": (GPTConfig(vocab=n, dropout=0.1), texts),
        "seq2seq": (Seq2SeqConfig(src_vocab=n, tgt_vocab=n, dropout=0.1), pairs),
    }


def compile_for(topology: str, function: Callable, args: tuple) -> tuple[str, float, Any]:
    """The chip's name, the seconds that compilation took, and what the program needs of its memory."""
    import jax
    from jax.experimental import topologies

    chip = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices[0]
    there = jax.sharding.SingleDeviceSharding(chip)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype, sharding=there), args)
    lowered = jax.jit(function).lower(*shapes)
    start = time.perf_counter()
    compiled = lowered.compile()
    return chip.device_kind, time.perf_counter() - start, compiled.memory_analysis()


def measure() -> list[dict]:
    found = []
    for name, topology in TOPOLOGIES.items():
        for program, function, args in programs():
            kind, seconds, memory = compile_for(topology, function, args)
            sizes = {part: getattr(memory, f"{part}_size_in_bytes") for part in ("argument", "temp", "generated_code")}
            found.append({"tpu": name, "device": kind, "program": program, "seconds": seconds, "bytes": sizes})
            print(found[-1], flush=True)
    return found


def markdown(found: list[dict], versions: dict[str, str]) -> str:
    head = ("program", "TPU", "compiled in, s", "arguments, MB", "working memory, MB", "code, MB")
    by_program = [row for name in dict.fromkeys(r["program"] for r in found) for row in found if row["program"] == name]
    rows = [
        (row["program"], row["tpu"], f"{row['seconds']:.1f}", *(f"{size / 1e6:.2f}" for size in row["bytes"].values()))
        for row in by_program
    ]
    return "\n\n".join([report.table(head, rows), "Versions: " + ", ".join(map(" ".join, versions.items())) + "."])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compile the JAX twin's programs for TPUs, without a TPU.")
    parser.add_argument("--write", action="store_true", help="write results/compile_tpu.json and README.md")
    args = parser.parse_args(argv)
    if importlib.util.find_spec("libtpu") is None:
        print(
            "error: the TPU compiler is in the package libtpu, which is not installed: pip install 'jax[tpu]'",
            file=sys.stderr,
        )
        return 2
    from importlib.metadata import version

    found = measure()
    versions = {package: version(package) for package in ("jax", "jaxlib", "libtpu")}
    print(markdown(found, versions))
    if args.write:
        report.save("compile_tpu", {"versions": versions, "programs": found})
        report.put_into_readme("compile_tpu", markdown(found, versions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
