"""How the digit transformer learns with each optimizer at several learning rates: the record that lesson 08 reads.

    python benchmarks/optimizers.py [--seeds 3] [--write]

All else is the default of `train_step_by_step.py --size medium`: 936 updates, warm-up and cosine, the NumPy twin, in
float32. Only adamw has a weight decay (1.0). A run that ends in a loss that is no number is recorded as null.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
from functools import cache
from typing import Any

import machine
import numpy as np
import report

from common.config import SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.errors import UserError
from numpy_ref import train

MODEL, TASK = ClassifierConfig(), DigitsConfig()
RATES = {
    "sgd": (0.1, 0.3, 1.0),
    "momentum": (0.01, 0.03, 0.1),
    "adam": (1e-3, 3e-3, 1e-2),
    "adamw": (1e-3, 3e-3, 1e-2),
}
WINDOW = 26
"""Updates over which a loss is averaged: six in an epoch."""


@cache
def data(seed: int) -> digits.Digits:
    return digits.load(TASK, seed=seed, examples=TrainConfig(**SIZES["medium"]).examples)


def run(seed: int, optimizer: str, lr: float) -> dict[str, Any] | None:
    chosen = {"optimizer": optimizer, "lr": lr, "weight_decay": 1.0 if optimizer == "adamw" else 0.0}
    settings = TrainConfig(**SIZES["medium"] | chosen, seed=seed)
    try:
        with np.errstate(all="ignore"):
            *_, end = train.fit(train.init(MODEL, settings), data(seed), model=MODEL, train=settings, every=1000)
    except UserError:
        return None
    windows = np.mean(np.reshape(end.history.loss, (-1, WINDOW)), axis=1)
    return {
        "seed": seed,
        "validation": [round(record["accuracy"], 4) for record in end.history.epochs],
        "validation_loss": float(f"{end.history.epochs[-1]['loss']:.5g}"),
        "loss": [float(f"{loss:.5g}") for loss in windows],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How the digit transformer learns with each optimizer.")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind (default: 3)")
    parser.add_argument("--write", action="store_true", help="write results/optimizers.json, anew after each seed")
    given = parser.parse_args()
    found: dict[str, dict[str, list]] = {name: {f"{lr:g}": [] for lr in rates} for name, rates in RATES.items()}
    for seed in range(given.seeds):
        for optimizer, runs in found.items():
            for lr, so_far in runs.items():
                so_far.append(run(seed, optimizer, float(lr)))
                last = so_far[-1]
                print(f"{seed} {optimizer:9} {lr:5} {last['validation'][-1] if last else 'diverged'}", flush=True)
        if given.write:
            report.save("optimizers", {"machine": machine.describe(), "window": WINDOW, "runs": found})


if __name__ == "__main__":
    main()
