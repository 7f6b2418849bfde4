"""After how many updates the twins part: NumPy and JAX from one key, for several optimizers, learning rates and dtypes.

    python benchmarks/parting.py [--steps 1000] [--write]

Rounding differs between the twins from the first update on, and training amplifies it. For each setting: the first
update after which some tensor (parameters and optimizer state) differs by more than 1e-12, 1e-9, 1e-5 of its largest
entry.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
from dataclasses import replace

import machine
import report

from common import plots
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from console import compare

THRESHOLDS = (1e-12, 1e-9, 1e-5)
SETTINGS = [
    ("sgd", 0.1),
    ("momentum", 0.03),
    ("adam", 3e-4),
    ("adam", 1e-3),
    ("adamw", 3e-4),
    ("adamw", 1e-3),
    ("adamw", 3e-3),
]
EVERY = 4


def settings(optimizer: str, lr: float, steps: int) -> TrainConfig:
    decay = 1.0 if optimizer == "adamw" else 0.0
    plain = TrainConfig(optimizer=optimizer, lr=lr, weight_decay=decay, schedule="constant", warmup=0, epochs=1)
    return replace(plain, examples=steps * plain.batch_size)


def measure(steps: int) -> list[dict]:
    found = []
    for dtype in ("float64", "float32"):
        for optimizer, lr in SETTINGS:
            train = settings(optimizer, lr, steps)
            walk = compare.walk(model=ClassifierConfig(), train=train, task=DigitsConfig(), dtype=dtype, every=EVERY)
            seen = [(apart.step, apart.tensors[apart.worst]) for apart in walk]
            found.append({"dtype": dtype, "optimizer": optimizer, "lr": lr, "seen": seen})
            print(" | ".join(row(found[-1], steps)), flush=True)
    return found


def row(setting: dict, steps: int) -> tuple[str, ...]:
    def parted(threshold: float) -> str:
        return next((str(step) for step, worst in setting["seen"] if worst > threshold), "never")

    return (
        f"{setting['optimizer']}, {setting['lr']:g}",
        setting["dtype"],
        *map(parted, THRESHOLDS),
        f"{setting['seen'][-1][1]:.1e}",
    )


def by_dtype(found: list[dict]) -> dict[str, dict[str, list]]:
    panels: dict[str, dict[str, list]] = {}
    for setting in found:
        panels.setdefault(setting["dtype"], {})[f"{setting['optimizer']}, {setting['lr']:g}"] = setting["seen"]
    return panels


def markdown(found: list[dict], steps: int, words: dict[str, str]) -> str:
    head = ("optimizer, learning rate", "dtype", *(f"by {t:.0e}" for t in THRESHOLDS), f"after {steps:,}")
    return "\n\n".join(
        [
            report.table(head, [row(setting, steps) for setting in found]),
            "![The largest difference of the twins over the updates, on a logarithmic axis, a line for each setting]"
            "(results/parting.svg)",
            machine.sentence(words),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="After how many updates NumPy and JAX part.")
    parser.add_argument("--steps", type=int, default=1000, help="updates of each run (1000)")
    parser.add_argument("--write", action="store_true", help="write results/parting.json and .svg, and README.md")
    args = parser.parse_args()
    found = measure(args.steps)
    words = machine.describe("jax", "jaxlib")
    if args.write:
        report.save("parting", {"machine": words, "steps": args.steps, "every": EVERY, "runs": found})
        plots.parting(by_dtype(found), report.HERE / "results" / "parting.svg")
        report.put_into_readme("parting", markdown(found, args.steps, words))


if __name__ == "__main__":
    main()
