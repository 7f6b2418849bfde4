"""How well the digit transformer learns when its gradients are wrong: the record that lesson 07 reads.

    python benchmarks/broken_gradients.py [--seeds 5] [--write]

The errors are those of src/course/planted.py; all else is the default of `train_step_by_step.py`, the NumPy twin, in
float32, for `--size small` and `--size medium`. Each run is judged by its best epoch (chosen on the validation part) on
the test part, and its validation accuracy after each epoch is kept.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
from functools import cache
from typing import Any

import machine
import report

from common.config import SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from course.planted import HOME, planted
from numpy_ref import train

RUNS: dict[str, tuple[str, ...]] = {"right": (), "copied, twice": ("copied", "twice")} | {
    name: (name,) for name in HOME
}
MODEL, TASK = ClassifierConfig(), DigitsConfig()


@cache
def data(size: str, seed: int) -> digits.Digits:
    return digits.load(TASK, seed=seed, examples=TrainConfig(**SIZES[size]).examples)


def run(size: str, seed: int, errors: tuple[str, ...]) -> dict[str, Any]:
    settings = TrainConfig(**SIZES[size], seed=seed)
    with planted(*errors):
        *_, end = train.fit(train.init(MODEL, settings), data(size, seed), model=MODEL, train=settings, every=1000)
    assert end.best is not None
    test = train.evaluate(end.best.params, data(size, seed).test, model=MODEL)
    epochs = [round(record["accuracy"], 4) for record in end.history.epochs]
    return {"seed": seed, "test": round(test.accuracy, 4), "epochs": epochs}


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the digit transformer learns with wrong gradients.")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind (default: 5)")
    parser.add_argument("--write", action="store_true", help="write results/broken_gradients.json")
    given = parser.parse_args()
    found: dict[str, dict[str, list[dict]]] = {name: {} for name in RUNS}
    for size in ("small", "medium"):
        for name, errors in RUNS.items():
            found[name][size] = [run(size, seed, errors) for seed in range(given.seeds)]
            print(f"{size:7} {name:14}", *(f"{one['test']:7.1%}" for one in found[name][size]), flush=True)
    if given.write:
        report.save("broken_gradients", {"machine": machine.describe(), "runs": found})


if __name__ == "__main__":
    main()
