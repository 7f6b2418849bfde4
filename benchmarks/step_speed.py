"""How long one training step of the digit transformer takes, in NumPy and in others, measured side by side.

    python benchmarks/step_speed.py [--batch 32] [--tokens 6] [--rounds 60] [--compile] [--write]

A step is forward, loss, backward and Adam's update: float32, one thread. With more than six tokens the expressions have
3 to so many arguments that the longest fills them, and the others are padded. Every contestant starts from the same
weights, takes the same batch, and has to reach the same loss. They run in turn, A B C A B C, so that a busy machine is
equally unfair to all; a ratio is taken within a round, then the median over the rounds. All times are CPU times of the
process.

The floor is the time that the step's matrix products would take at the rate that a large matrix product reaches here,
in the same rounds: what remains when everything else is free.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax_peers
import machine
import numpy as np
import report
import torch_peer

from common import params, random
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.data.batching import Examples
from common.types import Tree
from numpy_ref import optim
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy

Step = Callable[[], float | list[float]]


class Task(NamedTuple):
    """What every contestant is given."""

    model: ClassifierConfig
    params: Tree
    examples: Examples
    lr: float


@dataclass(frozen=True)
class Contestant:
    name: str
    make: Callable[[Task], Step]
    """From the task to a function that makes one training step and returns the loss before its update."""
    reference: bool = False
    """Whether it may be the eager PyTorch that all others are compared with; the fastest of these is taken."""
    at_once: int = 1
    """How many training steps a call makes. If more than one, it returns the list of their losses."""


def numpy_step(task: Task, *, forward: Callable) -> Step:
    train = TrainConfig(optimizer="adam", weight_decay=0.0)
    state = [task.params, optim.init(task.params, train)]

    def step() -> float:
        weights, opt = state
        tokens, mask, targets = task.examples
        logits_BC, saved_model = forward(weights, tokens_BT=tokens, mask_BT=mask, config=task.model)
        loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=targets)
        grads = classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved_model)
        state[:] = optim.update(weights, grads, opt, lr=task.lr, config=train)
        return float(loss)

    return step


def torch_step(task: Task, **how: object) -> Step:
    return torch_peer.adam_step(task.params, task.examples, config=task.model, lr=task.lr, **how)  # type: ignore[arg-type]


def jax_step(
    task: Task, *, make: Callable[..., Step] = jax_peers.our_loop, pooled: bool = False, **how: object
) -> Step:
    return make(task.params, task.examples, config=task.model, lr=task.lr, pooled=pooled, **how)


def contestants(compiled: bool) -> list[Contestant]:
    """One line for each row of the table."""
    rows = [
        Contestant("NumPy", partial(numpy_step, forward=classifier.forward)),
        Contestant("NumPy, last block pooled", partial(numpy_step, forward=classifier.forward_pooled)),
        Contestant("PyTorch eager, Adam's default", partial(torch_step, walk="for-loop"), reference=True),
        Contestant("PyTorch eager, Adam foreach", partial(torch_step, walk="foreach"), reference=True),
        Contestant("PyTorch eager, Adam fused", partial(torch_step, walk="fused"), reference=True),
        Contestant("PyTorch eager, Adam fused, last block pooled", partial(torch_step, walk="fused", pooled=True)),
    ]
    if compiled:
        rows += [
            Contestant("PyTorch compiled, Adam fused", partial(torch_step, walk="fused", compiled=True)),
            Contestant(
                "PyTorch compiled, Adam fused, last block pooled",
                partial(torch_step, walk="fused", compiled=True, pooled=True),
            ),
        ]
    many, one = jax_peers.UPDATES, partial(jax_step, make=jax_peers.our_dispatches)
    equinox, nnx = (partial(jax_step, make=make) for make in (jax_peers.equinox_step, jax_peers.nnx_step))
    return [
        *rows,
        Contestant(f"JAX, {many} steps a dispatch", jax_step, at_once=many),
        Contestant(f"JAX, {many} steps a dispatch, last block pooled", partial(jax_step, pooled=True), at_once=many),
        Contestant("JAX, a step a dispatch", one),
        Contestant("JAX, a step a dispatch, last block pooled", partial(one, pooled=True)),
        Contestant("Equinox and Optax", equinox),
        Contestant("Equinox and Optax, last block pooled", partial(equinox, pooled=True)),
        Contestant("Flax NNX and Optax", partial(nnx, cached=False)),
        Contestant("Flax NNX and Optax, last block pooled", partial(nnx, cached=False, pooled=True)),
        Contestant("Flax NNX and Optax, cached_partial", partial(nnx, cached=True)),
        Contestant("Flax NNX and Optax, cached_partial, last block pooled", partial(nnx, cached=True, pooled=True)),
    ]


def task(batch: int = 32, tokens: int = 6) -> Task:
    model = ClassifierConfig()
    expressions = DigitsConfig(max_args=tokens - 3)  # the operation and two brackets
    examples = digits.load(expressions, seed=0, examples=max(1_000, batch)).train.take(slice(0, batch))
    return Task(model, params.init(random.key(0), model), examples, lr=1e-3)


def multiply_adds(task: Task, *, pooled: bool) -> int:
    """Of all matrix products of a step. Each has two of the same size in its backward, so a step is three forwards."""
    batch, length = task.examples.tokens.shape
    d, f, blocks = task.model.d_model, task.model.d_ffn, task.model.n_blocks
    total = batch * d * task.model.vocab
    for i in range(blocks):
        asked = 1 if pooled and i == blocks - 1 else length
        total += batch * (2 * asked * d * d + 2 * length * d * d + 2 * asked * d * f + 2 * asked * length * d)
    return 3 * total


SIDE = 512


def large_product() -> Step:
    x, y = np.random.default_rng(0).normal(size=(2, SIDE, SIDE)).astype(np.float32)

    def step() -> float:
        return float((x @ y)[0, 0])

    return step


def measure(steps: dict[str, Step], rounds: int, at_once: dict[str, int], updates: int = 10) -> dict[str, np.ndarray]:
    """CPU milliseconds of a step, for each round: the mean of `updates` steps in a row, `at_once` of them a call."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            for _ in range(updates // at_once.get(name, 1)):
                step()
            times[name].append((time.process_time() - start) / updates * 1e3)
    return {name: np.array(found) for name, found in times.items()}


def same_losses(steps: dict[str, Step], warm_up: int = 30) -> None:
    """Warm up, and prove that all contestants do the same work: the first and the tenth loss agree.

    Optax computes 1 - beta^t in float32, which loses four digits while t is small; after 30 updates that can be seen.
    """
    losses = {name: _losses(step, warm_up) for name, step in steps.items()}
    wanted = next(iter(losses.values()))
    for name, found in losses.items():
        for at in (0, 9):
            if abs(found[at] - wanted[at]) > 1e-4 * wanted[at]:
                raise SystemExit(f"{name} does other work: loss {found[at]:.6f}, not {wanted[at]:.6f}")


def _losses(step: Step, warm_up: int) -> list[float]:
    found: list[float] = []
    while len(found) < warm_up:
        found += np.atleast_1d(step()).tolist()
    return found[:warm_up]


def figures(given: Task, rows: list[Contestant], rounds: int) -> dict:
    steps = {row.name: row.make(given) for row in rows}
    same_losses(steps)
    times = measure(steps | {"sgemm": large_product()}, rounds, {row.name: row.at_once for row in rows})
    eager = min((row.name for row in rows if row.reference), key=lambda name: float(np.median(times[name])))
    rate = 2 * SIDE**3 / (np.median(times["sgemm"]) * 1e-3)  # operations a second
    return {
        "machine": machine.describe("torch", "jax", "jaxlib", "equinox", "optax", "flax"),
        "batch": len(given.examples.targets),
        "tokens": given.examples.tokens.shape[1],
        "padding": 1 - float(given.examples.mask.mean()),
        "rounds": rounds,
        "reference": eager,
        "sgemm_gflops": rate / 1e9,
        "floor_ms": {str(pooled): 2 * multiply_adds(given, pooled=pooled) / rate * 1e3 for pooled in (False, True)},
        "rows": [
            {
                "name": row.name,
                "median_ms": float(np.median(times[row.name])),
                "best_decile_ms": float(np.percentile(times[row.name], 10)),
                "ratio": float(np.median(times[row.name] / times[eager])),
                "of_floor": 2
                * multiply_adds(given, pooled="pooled" in row.name)
                / rate
                * 1e3
                / np.median(times[row.name]),
            }
            for row in rows
        ],
    }


def markdown(found: dict) -> str:
    head = ("training step", "median, CPU ms", "best decile", "ratio", "floor / median")
    rows = [
        (
            row["name"] + (" (the reference)" if row["name"] == found["reference"] else ""),
            f"{row['median_ms']:.2f}",
            f"{row['best_decile_ms']:.2f}",
            f"{row['ratio']:.2f}",
            f"{100 * row['of_floor']:.0f} %",
        )
        for row in found["rows"]
    ]
    plain, pooled = found["floor_ms"]["False"], found["floor_ms"]["True"]
    return "\n\n".join(
        [
            report.table(head, rows),
            f"Floor: {plain:.2f} ms, and {pooled:.2f} ms with the last block pooled, at the "
            f"{found['sgemm_gflops']:.0f} GFLOP/s that a product of two {SIDE} × {SIDE} matrices reached in the same "
            f"{found['rounds']} rounds.",
            machine.sentence(found["machine"]),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How long one training step takes, in NumPy, PyTorch and JAX.")
    parser.add_argument("--batch", type=int, default=32, help="examples in a step (32)")
    parser.add_argument("--tokens", type=int, default=6, help="tokens of the longest example, 6 to 50 (6)")
    parser.add_argument(
        "--rounds", type=int, default=60, help="how often each contestant has its turn, of ten steps (60)"
    )
    parser.add_argument("--compile", action="store_true", help="a row for torch.compile too; needs a C++ compiler")
    parser.add_argument(
        "--write", action="store_true", help="write the JSON file in results/ and the table in README.md"
    )
    args = parser.parse_args()
    jax_peers.one_xla_thread()
    found = figures(task(args.batch, args.tokens), contestants(args.compile), args.rounds)
    print(markdown(found))
    if args.write:
        usual = (args.batch, args.tokens) == (32, 6)
        name = "step_speed" if usual else f"step_speed_{args.batch}x{args.tokens}"
        report.save(name, found)
        report.put_into_readme(name, markdown(found))


if __name__ == "__main__":
    main()
