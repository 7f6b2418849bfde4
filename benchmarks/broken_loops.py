"""How well the digit transformer learns when its training loop is wrong: the record that lesson 08 reads.

    python benchmarks/broken_loops.py [--seeds 5] [--write] [NAME ...]

Every gradient is right; the errors are those of src/course/loops.py. `short memory` is no error, but a beta2 of 15/16,
for comparison: a memory of about an epoch of 15 updates, the one that `forgetful` is left with. `no warm-up` and
`uncorrected, no warm-up` begin at the full learning rate. All else is the default of
`train_step_by_step.py --size small`, the NumPy twin, in float32. Each run is judged by its best epoch (chosen on the
validation part) on the test part.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import json
from functools import cache
from typing import Any

import machine
import report

from common.config import SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from course.loops import HOME, planted
from numpy_ref import train

MODEL, TASK = ClassifierConfig(), DigitsConfig()
NAMES = ("right", *HOME, "short memory", "no warm-up", "uncorrected, no warm-up")
RECORD = report.HERE / "results" / "broken_loops.json"


@cache
def data(seed: int) -> digits.Digits:
    return digits.load(TASK, seed=seed, examples=TrainConfig(**SIZES["small"]).examples)


def run(seed: int, name: str) -> dict[str, Any]:
    changed = {"warmup": 0} if name.endswith("no warm-up") else {}
    changed |= {"beta2": 15 / 16} if name == "short memory" else {}
    settings = TrainConfig(**SIZES["small"] | changed, seed=seed)
    errors = [error for error in HOME if name.startswith(error)]
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
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"(default: all of {', '.join(NAMES)})")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind (default: 5)")
    parser.add_argument("--write", action="store_true", help="write results/broken_loops.json; other names stay")
    given = parser.parse_args()
    found: dict[str, list[dict]] = {}
    for name in given.names or NAMES:
        found[name] = [run(seed, name) for seed in range(given.seeds)]
        print(f"{name:24}", *(f"{one['test']:7.1%} {one['loss']:.2g}" for one in found[name]), flush=True)
    if given.write:
        kept = json.loads(RECORD.read_text())["runs"] if RECORD.exists() and given.names else {}
        report.save("broken_loops", {"machine": machine.describe(), "runs": kept | found})


if __name__ == "__main__":
    main()
