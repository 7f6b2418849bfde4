"""How well the digit transformer learns: many seeds, one split, accuracy on expressions never trained on.

    python benchmarks/digits.py [--write]

Default settings of `train_step_by_step.py`, the NumPy twin: `--size medium` from ten seeds, `--size small` from five.
Each run is judged by its best epoch (chosen on the validation part) on the test part. CPU seconds are those of the
whole run: training, validation after each epoch, and the test.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import time

import machine
import report

from common.config import SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.evaluation import percent
from numpy_ref import train

RUNS = {"medium": 10, "small": 5}


def measure(size: str, seeds: int) -> list[dict]:
    found = []
    for seed in range(seeds):
        start = time.process_time()
        settings = TrainConfig(**SIZES[size])
        (member,) = train.population([seed], DigitsConfig(), model=ClassifierConfig(), train=settings)
        found.append({"seed": seed, "accuracy": member.test.accuracy, "cpu_s": time.process_time() - start})
        print(f"{size}, seed {seed}: {percent(member.test.accuracy)} in {found[-1]['cpu_s']:.1f} CPU s", flush=True)
    return found


def markdown(found: dict[str, list[dict]], words: dict[str, str]) -> str:
    head = ("size", "updates", "seeds", "each seed's accuracy", "lowest", "runs with all right", "CPU s a run, median")
    rows = []
    for size, runs in found.items():
        shares = [run["accuracy"] for run in runs]
        seconds = sorted(run["cpu_s"] for run in runs)
        rows.append(
            (
                size,
                str(TrainConfig(**SIZES[size]).steps),
                f"0-{len(runs) - 1}",
                ", ".join(map(percent, shares)),
                percent(min(shares)),
                f"{sum(share == 1 for share in shares)} of {len(runs)}",
                f"{seconds[len(seconds) // 2]:.1f}",
            )
        )
    return report.table(head, rows) + "\n\n" + machine.sentence(words)


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of the digit transformer over many seeds.")
    parser.add_argument("--write", action="store_true", help="write results/digits.json and the table in README.md")
    args = parser.parse_args()
    found = {size: measure(size, seeds) for size, seeds in RUNS.items()}
    words = machine.describe()
    print(markdown(found, words))
    if args.write:
        report.save("digits", {"machine": words, "runs": found})
        report.put_into_readme("digits", markdown(found, words))


if __name__ == "__main__":
    main()
