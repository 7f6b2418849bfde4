"""How the digit transformer learns, seed by seed: the record that lesson 09 reads.

    python benchmarks/dynamics.py [run] [no_decay] [decay] [line] [change]

Writes results/dynamics.json, whole or the parts that are named. All of it takes some eight minutes of one processor:

run        `--size medium`, 16 seeds: right answers by operation, attention on the answer, gradients, the number line
no_decay   the same without weight decay, eight seeds
decay      `--size small --epochs 30`, 16 seeds: the default decay, a tenth of it, and gains and biases spared
line       4,000 updates at a constant rate: do the digits line up in the embedding? Two to five seeds of each kind
change     300 updates, eight seeds: the same in what training has added to the embedding

The NumPy twin, float32; what is measured on the way stands in src/course/dynamics.py.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import json
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import machine
import report

from common.config import SIZES, DigitsConfig, TrainConfig
from common.data import digits
from common.evaluation import embedding_similarity
from course import dynamics
from numpy_ref import train

SEEDS = tuple(range(16))
TASK, ORDERED = DigitsConfig(), DigitsConfig(ops=("Max", "Min"))
PLACED = DigitsConfig(ops=("First", "Last"))
MEDIUM, SHORT = TrainConfig(**SIZES["medium"]), replace(TrainConfig(**SIZES["small"]), epochs=30)
LONG = TrainConfig(examples=6_400, epochs=40, batch_size=64, lr=1e-3, schedule="constant")
EARLY = replace(LONG, epochs=3)


def measured_runs(seeds: tuple[int, ...] = SEEDS, decay: float = MEDIUM.weight_decay) -> dict[str, Any]:
    """`--size medium`, float32: asked every 6 updates at first, looked into less often, tested at the end."""

    def whole(step: int) -> bool:
        return step % 30 == 0 if step <= 180 else step % 78 == 0

    found: dict[str, Any] = {"seeds": list(seeds), "by_op": {}, "attention": {}, "gradient": {}, "number_line": []}
    found["test"] = []
    for seed in seeds:
        settings = replace(MEDIUM, seed=seed, weight_decay=decay)
        data = digits.load(TASK, seed=seed, examples=settings.examples)
        asked, looks = [], []
        for state in dynamics.stops(settings, data, lambda step: step <= 180 or step % 78 == 0):
            asked.append((state.step, train.evaluate(state.params, data.validation, model=dynamics.MODEL).by_op))
            looks += [(state.step, dynamics.look(state.params, data))] if whole(state.step) else []
        found["asked_at"], found["looked_at"] = [step for step, _ in asked], [step for step, _ in looks]
        for op in TASK.ops:
            found["by_op"].setdefault(op, []).append([round(by_op[op], 4) for _, by_op in asked])
        for kind in ("attention", "gradient"):
            for name in getattr(looks[0][1], kind):
                found[kind].setdefault(name, []).append([round(getattr(one, kind)[name], 4) for _, one in looks])
        found["number_line"].append([round(one.number_line, 4) for _, one in looks])
        found["test"].append(round(train.evaluate(state.params, data.test, model=dynamics.MODEL).accuracy, 4))
        print("run", seed, found["test"][-1], flush=True)
    return found


def measured_decays() -> dict[str, Any]:
    """`--size small --epochs 30`, float32: the default decay, a tenth of it, and gains and biases spared."""
    found: dict[str, Any] = {"seeds": list(SEEDS)}
    for name, decay in (("1.0", 1.0), ("0.1", 0.1), ("1.0, spared", 1.0)):
        rows = []
        for seed in SEEDS:
            settings = replace(SHORT, seed=seed, weight_decay=decay)
            data = digits.load(TASK, seed=seed, examples=settings.examples)
            with dynamics.spared() if "spared" in name else nullcontext():
                *_, end = train.fit(train.init(dynamics.MODEL, settings), data, model=dynamics.MODEL, train=settings)
            best = end.best
            assert best is not None
            asked = {part: train.evaluate(end.params, getattr(data, part), model=dynamics.MODEL) for part in PARTS_OF}
            chosen = train.evaluate(best.params, data.test, model=dynamics.MODEL)
            rows.append([asked["train"].accuracy, asked["validation"].accuracy, asked["test"].accuracy,
                         asked["test"].loss, best.accuracy, chosen.accuracy, dynamics.gains(end.params)])  # fmt: skip
            print("decay", name, seed, [round(x, 4) for x in rows[-1]], flush=True)
        found[name] = {
            key: [round(float(x), 5) for x in column]
            for key, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        }
    return found


PARTS_OF = ("train", "validation", "test")
COLUMNS = ("train", "validation", "test", "test_loss", "best_validation", "best_test", "gains")


def measured_lines(kinds: tuple[tuple[str, DigitsConfig, float, int], ...]) -> dict[str, Any]:
    """A long run at a constant rate, float32: is there a number line? `kinds` are name, task, decay, how many seeds."""
    found: dict[str, Any] = {"updates": LONG.steps}
    for name, task, decay, seeds in kinds:
        lines, ends = [], []
        for seed in SEEDS[:seeds]:
            settings = replace(LONG, seed=seed, weight_decay=decay)
            data = digits.load(task, seed=seed, examples=settings.examples)
            states = list(dynamics.stops(settings, data, lambda step: step % 400 == 0))
            found["looked_at"] = [state.step for state in states]
            lines.append([round(embedding_similarity(state.params).number_line, 4) for state in states])
            ends.append(round(states[-1].history.epochs[-1]["accuracy"], 4))
            print(name, seed, lines[-1], ends[-1], flush=True)
        found[name] = {"number_line": lines, "validation": ends}
    return found


def measured_changes() -> dict[str, Any]:
    """300 updates at a constant rate, float32: the line in the digits' rows, and in what training has added to them."""
    found: dict[str, Any] = {"seeds": list(SEEDS[:8]), "updates": EARLY.steps}
    for name, task, decay in (
        ("Max Min, decay 0", ORDERED, 0.0),
        ("Max Min, decay 1", ORDERED, 1.0),
        ("First Last, decay 0", PLACED, 0.0),
        ("First Last, decay 1", PLACED, 1.0),
    ):
        rows = []
        for seed in SEEDS[:8]:
            settings = replace(EARLY, seed=seed, weight_decay=decay)
            data = digits.load(task, seed=seed, examples=settings.examples)
            start, end = dynamics.stops(settings, data, lambda step: step == EARLY.steps)
            rows.append(dynamics.added(start.params, end.params, settings))
            print(name, seed, rows[-1], flush=True)
        found[name] = {key: [round(row[key], 4) for row in rows] for key in rows[0]}
    return found


PARTS = {
    "run": measured_runs,
    "no_decay": partial(measured_runs, SEEDS[:8], 0.0),
    "decay": measured_decays,
    "line": partial(
        measured_lines,
        (
            ("Max Min, decay 1", ORDERED, 1.0, 5),
            ("Max Min, decay 0", ORDERED, 0.0, 5),
            ("all five, decay 1", TASK, 1.0, 2),
            ("First Last, decay 1", PLACED, 1.0, 3),
        ),
    ),
    "change": measured_changes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="How the digit transformer learns, seed by seed.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which: {', '.join(PARTS)} (all)")
    parts = parser.parse_args().parts or list(PARTS)
    place = report.HERE / "results" / "dynamics.json"
    known = {"machine": machine.describe()} | (json.loads(place.read_text()) if place.exists() else {})
    for name in parts:
        start = time.process_time()
        known[name] = PARTS[name]() | {"cpu_seconds": round(time.process_time() - start)}
        place.write_text(written(known | {"machine": machine.describe()}) + "\n")


def written(found: Any) -> str:
    """JSON with one line for each list of numbers."""
    if isinstance(found, dict):
        rows = [
            f"{json.dumps(name)}: {written(value).replace(chr(10), chr(10) + ' ')}" for name, value in found.items()
        ]
        return "{\n " + ",\n ".join(rows) + "\n}"
    if isinstance(found, list) and found and isinstance(found[0], list):
        return "[\n " + ",\n ".join(map(json.dumps, found)) + "\n]"
    return json.dumps(found)


if __name__ == "__main__":
    main()
