"""How well the digit transformer learns when its training loop is wrong: the record that lesson 08 reads.

    python benchmarks/broken_loops.py [--seeds 5] [--write]

Every gradient is right; the errors are those of src/course/loops.py. All else is the default of
`train_step_by_step.py --size small`, the NumPy twin, in float32. Each run is judged by its best epoch (chosen on the
validation part) on the test part.
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
from course.loops import HOME, planted
from numpy_ref import train

MODEL, TASK = ClassifierConfig(), DigitsConfig()


@cache
def data(seed: int) -> digits.Digits:
    return digits.load(TASK, seed=seed, examples=TrainConfig(**SIZES["small"]).examples)


def run(seed: int, errors: tuple[str, ...]) -> dict[str, Any]:
    settings = TrainConfig(**SIZES["small"], seed=seed)
    with planted(*errors):
        *_, end = train.fit(train.init(MODEL, settings), data(seed), model=MODEL, train=settings, every=1000)
    assert end.best is not None
    test = train.evaluate(end.best.params, data(seed).test, model=MODEL)
    return {
        "seed": seed,
        "test": round(test.accuracy, 4),
        "epochs": [round(record["accuracy"], 4) for record in end.history.epochs],
        "loss": float(f"{end.history.epochs[-1]['train_loss']:.5g}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the digit transformer learns in a wrong training loop.")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind (default: 5)")
    parser.add_argument("--write", action="store_true", help="write results/broken_loops.json, anew after each seed")
    given = parser.parse_args()
    found: dict[str, list[dict]] = {name: [] for name in ("right", *HOME)}
    for seed in range(given.seeds):
        for name, runs in found.items():
            runs.append(run(seed, () if name == "right" else (name,)))
            print(f"{seed} {name:12} {runs[-1]['test']:7.1%}", flush=True)
        if given.write:
            report.save("broken_loops", {"machine": machine.describe(), "runs": found})


if __name__ == "__main__":
    main()
