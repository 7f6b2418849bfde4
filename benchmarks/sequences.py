"""How well and how fast the sequence models learn, by the recipes of `train_step_by_step.py`, with the JAX twin.

    python benchmarks/sequences.py [--tasks copy add] [--families gpt] [--seeds 0 1 2] [--rounds 6] [--write]

Each run is judged by its best epoch (chosen on the validation part) on the test part, which no run trains on. CPU and
wall seconds are those of the whole run: drawing the examples, compiling, training, validation. Then the same updates
are made in turn by JAX and by PyTorch (sequence_speed.py), and the trained models are asked shorter and longer
questions than they were trained on (sequence_lengths.py). `--write` adds each model to results/sequences.json as soon
as it is measured; what was measured on another machine is dropped.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import json
import math
import time
from typing import Any

import jax
import machine
import report
import sequence_lengths as lengths
import sequence_speed as speed

from common import params, plots
from common.config import SEQUENCE_TASKS
from common.data import tasks
from common.data.tasks import LEARNS
from common.evaluation import Evaluation, percent
from common.types import Tree
from console import options
from console.options import Options
from jax_impl import train as twin

TASKS = (*SEQUENCE_TASKS, "text")


def learn(asked: Options) -> tuple[dict, Tree, Evaluation]:
    """Train by the recipe: what it cost, the parameters of the best epoch, and their answers to the test part."""
    assert asked.model is not None and asked.task is not None and asked.train is not None
    jax.clear_caches()  # every run pays for its own compilation, as a user's does
    cpu, wall = time.process_time(), time.perf_counter()
    data = tasks.load(asked.task, asked.model, asked.train, asked.words)
    state = twin.init(asked.model, asked.train)
    for reached in twin.fit(state, data, model=asked.model, train=asked.train):
        state = reached
    assert state.best is not None
    cost = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    return cost, state.best.params, twin.evaluate(state.best.params, data.test, model=asked.model)


def measure(family: str, task: str, seeds: list[int], rounds: int) -> dict:
    """Everything about a family on a task."""
    runs = []
    asked = [options.read(["--model", family, "--task", task, "--seed", str(seed)]) for seed in seeds]
    beyond = None if task == "text" else lengths.questions(asked[0].task)
    for one in asked:
        cost, best, found = learn(one)
        told = {} if beyond is None else {"by_length": lengths.by_length(best, beyond, model=one.model)}
        runs.append({"seed": one.train.seed, "accuracy": found.accuracy, "loss": found.loss} | cost | told)
        print(f"{family}, {task}, seed {one.train.seed}: {result(task, runs[-1])}", flush=True)
    first = asked[0]
    data = tasks.load(first.task, first.model, first.train, first.words)
    row = {
        "family": family,
        "task": task,
        "parameters": sum(math.prod(shape) for shape in params.names(first.model).values()),
        "updates": first.train.steps,
        "batch": first.train.batch_size,
        "runs": runs,
        "speed": speed.compare(data, model=first.model, train=first.train, rounds=rounds),
    }
    if beyond is not None:
        row["trained"] = lengths.trained(first.task)
        row["by_length"] = [run.pop("by_length") for run in runs]
    return row


def result(task: str, run: dict) -> str:
    if task == "text":
        return f"{run['loss'] / math.log(2):.2f} bits a character"
    return percent(run["accuracy"])


def markdown(found: dict) -> str:
    head = ("task", "model", "parameters", "updates", "each seed's result")
    head += ("CPU s a run", "wall s", "ms an update, CPU", "wall", "of PyTorch's, CPU", "wall")
    return "\n\n".join(
        [
            report.table(head, [_row(row) for row in _ordered(found)]),
            "![The share of right answers over the length, a panel for each task; the lengths that were trained on lie "
            "on grey](results/sequences.svg)",
            report.table(("trained on", "model", "right by length, mean of the seeds"), _by_length(found)),
            machine.sentence(found["machine"]),
        ]
    )


def _ordered(found: dict) -> list[dict]:
    return sorted(found["rows"].values(), key=lambda row: (TASKS.index(row["task"]), row["family"]))


def _row(row: dict) -> tuple[str, ...]:
    speeds = row["speed"]
    return (
        row["task"],
        row["family"],
        f"{row['parameters']:,}",
        f"{row['updates']:,} of {row['batch']}",
        ", ".join(result(row["task"], run) for run in row["runs"]),
        *(f"{_median(row, name):.0f}" for name in ("cpu_s", "wall_s")),
        *(f"{speeds[name]['JAX']:.1f}" for name in ("cpu_ms", "wall_ms")),
        *(f"{speeds[name]:.2f}" for name in ("cpu_ratio", "wall_ratio")),
    )


def _median(row: dict, name: str) -> float:
    return sorted(run[name] for run in row["runs"])[len(row["runs"]) // 2]


def _by_length(found: dict) -> list[tuple[str, ...]]:
    rows = []
    for row in _ordered(found):
        if "by_length" in row:
            shares = lengths.share(row["by_length"])
            told = ", ".join(f"{n}: {sum(each) / len(each):.0f} %" for n, each in shares.items())
            low, high = row["trained"]
            on = f"{low} to {high}" if low < high else str(low)
            rows.append((f"{row['task']}, {on}", row["family"], told))
    return rows


def kept(words: dict[str, str]) -> dict[str, Any]:
    """What was measured before on this machine."""
    path = report.HERE / "results" / "sequences.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    return {"machine": words, "rows": old["rows"] if old.get("machine") == words else {}}


def main() -> None:
    parser = argparse.ArgumentParser(description="How well and how fast the sequence models learn.")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, help="which tasks (all)")
    parser.add_argument("--families", nargs="+", choices=("gpt", "seq2seq"), default=("gpt", "seq2seq"), help="(both)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="training seeds (0 1 2)")
    parser.add_argument("--rounds", type=int, default=6, help="turns of 50 updates beside PyTorch (6)")
    parser.add_argument("--write", action="store_true", help="write results/sequences.json and .svg, and README.md")
    args = parser.parse_args()
    words = machine.describe("torch", "jax", "jaxlib")
    found = kept(words) if args.write else {"machine": words, "rows": {}}
    for task in args.tasks:
        for family in args.families:
            if family in LEARNS["text" if task == "text" else "sequence"]:
                found["rows"][f"{family} {task}"] = measure(family, task, args.seeds, args.rounds)
                if args.write:
                    report.save("sequences", found)
    print(markdown(found))
    if args.write:
        drawn = [row for row in _ordered(found) if "by_length" in row]
        if drawn:
            plots.save(lengths.draw(drawn), report.HERE / "results" / "sequences.svg")
        report.put_into_readme("sequences", markdown(found))


if __name__ == "__main__":
    main()
