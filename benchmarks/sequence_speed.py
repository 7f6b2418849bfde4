"""How long an update of a sequence model takes in the JAX twin and in PyTorch, in turn, on the same batches."""

import time
from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import torch
import torch_sequences

from common import random
from common.config import ModelConfig, TrainConfig
from common.data.batching import AnyExamples
from common.run import AnyData
from common.types import Array
from jax_impl import train as twin
from jax_impl.device import loop

UPDATES = 50
"""How many each has in its turn: so many make one dispatch in training."""
THREADS = (1, 2)
"""How many PyTorch may use: the number with the shorter wall time is the reference."""
Updates = Callable[[int], list[float]]
"""Makes the UPDATES updates of the turn with this number, and returns their losses."""


def jax_updates(data: AnyExamples, *, model: ModelConfig, train: TrainConfig) -> Updates:
    """The program that `fit` runs, dispatch by dispatch."""
    fresh = twin.init(model, train)
    carry = [(fresh.params, fresh.opt)]
    examples = type(data)(*map(jnp.asarray, data))
    key = random.fold_in(random.key(train.seed), 3) if model.dropout else None

    def turn(number: int) -> list[float]:
        order, lrs = _plan(number, train)
        carry[0], _, figures = twin._updates(
            carry[0], examples, order, lrs, UPDATES, number * UPDATES, key, model=model, train=train
        )
        return np.asarray(figures)[:, 0].tolist()

    return turn


def torch_updates(data: AnyExamples, *, model: ModelConfig, train: TrainConfig, threads: int) -> Updates:
    updates = torch_sequences.trainer(twin.init(model, train).params, data, model=model, train=train)

    def turn(number: int) -> list[float]:
        torch.set_num_threads(threads)
        return updates(*_plan(number, train))

    return turn


def _plan(number: int, train: TrainConfig) -> tuple[Array, Array]:
    return loop.plan(number * UPDATES, (number + 1) * UPDATES, train, UPDATES, np.float32)


def same_losses(data: AnyExamples, *, model: ModelConfig, train: TrainConfig) -> None:
    """Prove that both do the same work: the losses of the first ten updates agree. Dropout is left out of this."""
    plain = replace(model, dropout=0.0)
    ours = jax_updates(data, model=plain, train=train)(0)[:10]
    theirs = torch_updates(data, model=plain, train=train, threads=1)(0)[:10]
    worst = float(np.max(np.abs(np.subtract(ours, theirs)) / np.array(ours)))
    if not worst < 1e-4:
        raise SystemExit(f"PyTorch does other work: its losses differ by {worst:.1e} of ours in the first ten updates")


def compare(data: AnyData, *, model: ModelConfig, train: TrainConfig, rounds: int) -> dict:
    """CPU and wall milliseconds of an update, medians over rounds, and ratios to PyTorch within a round."""
    same_losses(data.train, model=model, train=train)
    turns = {"JAX": jax_updates(data.train, model=model, train=train)}
    for threads in THREADS:
        name = f"PyTorch, threads {threads}"
        turns[name] = torch_updates(data.train, model=model, train=train, threads=threads)
    cpu: dict[str, list[float]] = {name: [] for name in turns}
    wall: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, turn in turns.items():
            cpu_start, start = time.process_time(), time.perf_counter()
            turn(number)
            if number:  # the first turn compiles
                cpu[name].append((time.process_time() - cpu_start) / UPDATES * 1e3)
                wall[name].append((time.perf_counter() - start) / UPDATES * 1e3)
    reference = min((name for name in turns if name != "JAX"), key=lambda name: float(np.median(wall[name])))
    return {
        "reference": reference,
        "cpu_ms": {name: float(np.median(times)) for name, times in cpu.items()},
        "wall_ms": {name: float(np.median(times)) for name, times in wall.items()},
        "cpu_ratio": float(np.median(np.divide(cpu["JAX"], cpu[reference]))),
        "wall_ratio": float(np.median(np.divide(wall["JAX"], wall[reference]))),
        "rounds": rounds,
    }
