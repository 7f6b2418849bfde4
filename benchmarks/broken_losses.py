"""How well the digit transformer learns with other losses, right and wrong ones: the record that lesson 06 reads.

    python benchmarks/broken_losses.py [--seeds 5] [--write]

The losses are those of src/course/losses.py; all else is the default of `train_step_by_step.py --size small`, the NumPy
twin, in float32. Each run is judged by its best epoch (chosen on the validation part) on the test part; the training
loss of each epoch is kept as the loss itself counts it.
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
from course.losses import LOSSES, Loss, instead
from numpy_ref import train

MODEL, TASK = ClassifierConfig(), DigitsConfig()


@cache
def data(seed: int) -> digits.Digits:
    return digits.load(TASK, seed=seed, examples=TrainConfig(**SIZES["small"]).examples)


def run(seed: int, loss: Loss) -> dict[str, Any]:
    settings = TrainConfig(**SIZES["small"], seed=seed)
    with instead(loss):
        *_, end = train.fit(train.init(MODEL, settings), data(seed), model=MODEL, train=settings, every=1000)
    assert end.best is not None
    test = train.evaluate(end.best.params, data(seed).test, model=MODEL)
    return {
        "seed": seed,
        "test": round(test.accuracy, 4),
        "epochs": [round(record["accuracy"], 4) for record in end.history.epochs],
        "loss": [float(f"{record['train_loss']:.5g}") for record in end.history.epochs],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the digit transformer learns with other losses.")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind (default: 5)")
    parser.add_argument("--write", action="store_true", help="write results/broken_losses.json")
    given = parser.parse_args()
    found: dict[str, list[dict]] = {}
    for name, loss in LOSSES.items():
        found[name] = [run(seed, loss) for seed in range(given.seeds)]
        print(f"{name:16}", *(f"{one['test']:7.1%} {one['loss'][-1]:.4f}" for one in found[name]), flush=True)
    if given.write:
        report.save("broken_losses", {"machine": machine.describe(), "runs": found})


if __name__ == "__main__":
    main()
