"""How well the digit transformer learns with the wrong gradients of the stepper that lesson 07 does not plant.

    python benchmarks/breaks.py [--seeds 5] [--write] [NAME ...]

The names are those of the stepper's `break`. Two to five digits, so that batches hold padding and `forget-mask` has
something to get wrong; all else as in benchmarks/broken_gradients.py, which measures the others on three digits:
`--size small`, the NumPy twin, float32, judged by the best epoch (chosen on the validation part) on the test part.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse

import machine
import report

from common.config import SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from console.stepper import breaking
from numpy_ref import train

NAMES = ("right", "forget-mask", "scale-1.001")
MODEL, TASK = ClassifierConfig(), DigitsConfig(min_args=2, max_args=5)


def run(name: str, seed: int) -> float:
    """Accuracy on the test part."""
    settings = TrainConfig(**SIZES["small"], seed=seed)
    data = digits.load(TASK, seed=seed, examples=settings.examples)
    if name != "right":
        breaking.swap(name)
    try:
        *_, end = train.fit(train.init(MODEL, settings), data, model=MODEL, train=settings, every=1000)
    finally:
        breaking.mend()
    assert end.best is not None
    return round(train.evaluate(end.best.params, data.test, model=MODEL).accuracy, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the digit transformer learns with wrong gradients.")
    parser.add_argument("names", nargs="*", default=NAMES, help=f"(default: {' '.join(NAMES)})")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind (default: 5)")
    parser.add_argument("--write", action="store_true", help="write results/breaks.json")
    given = parser.parse_args()
    found: dict[str, list[float]] = {}
    for name in given.names:
        found[name] = [run(name, seed) for seed in range(given.seeds)]
        print(f"{name:18}", *(f"{one:7.1%}" for one in found[name]), flush=True)
    if given.write:
        about = "test accuracy by seed, --size small, two to five digits"
        report.save("breaks", {"machine": machine.describe(), "about": about, "runs": found})


if __name__ == "__main__":
    main()
