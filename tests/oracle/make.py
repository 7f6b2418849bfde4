"""Golden files: what PyTorch computes from the same weights, frozen so that any machine can test without PyTorch.

    python tests/oracle/make.py            write tests/golden/*.safetensors
    python tests/oracle/make.py --check    compute them again, hold the files and numpy_ref against them, write nothing

What the files hold is in files.py; the check asks of many random models besides (live.py).
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from files import (
    GPTS,
    LLAMAS,
    MODELS,
    OPTIMIZERS,
    ROTARY,
    SEQ2SEQS,
    classifier_file,
    optim_file,
    rotary_file,
    sequence_file,
)
from live import live, live_llamas, live_optimizers, live_rotary, live_sequences
from recipe import GOLDEN, load
from safetensors.numpy import save_file

from common import gradcheck
from common.types import Array

BAR = 1e-12
NARROW = 1e-6
"""The bar for what Hugging Face ships in float32."""


def drift(old: dict[str, Array], new: dict[str, Array]) -> Iterator[tuple[str, float]]:
    """The largest difference of each group of tensors (`tiny.grads`, `adam`) of two files."""
    if list(old) != sorted(new):
        raise SystemExit("the golden files hold other names than they should: write them again")
    groups: dict[str, list[str]] = {}
    for name in new:
        groups.setdefault(".".join(name.split(".")[:-1][:2]) or name, []).append(name)
    for group, names in groups.items():
        a, b = ({name: part[name].astype(np.float64) for name in names} for part in (old, new))
        yield group, max(gradcheck.difference(a, b).values())


def main() -> int:
    parser = argparse.ArgumentParser(description="Write or check the golden files.")
    parser.add_argument("--check", action="store_true", help="write nothing; compare at 1e-12 and say what differs")
    check = parser.parse_args().check
    made: dict[str, tuple[dict[str, Array], Any]] = {
        "classifier": (classifier_file(), {name: config.to_dict() for name, config in MODELS.items()}),
        "optim": (optim_file(), OPTIMIZERS),
        "rotary": (rotary_file(), ROTARY),
    }
    for name, configs in {"gpt": GPTS, "seq2seq": SEQ2SEQS, "llama": LLAMAS}.items():
        made[name] = sequence_file(configs), {n: config.to_dict() for n, config in configs.items()}
    if not check:
        GOLDEN.mkdir(exist_ok=True)
        for name, (tensors, about) in made.items():
            contiguous = {n: np.array(x, order="C") for n, x in tensors.items()}  # safetensors would scramble others
            save_file(contiguous, GOLDEN / f"{name}.safetensors", {"about": json.dumps(about)})
            print(f"wrote {GOLDEN / name}.safetensors")
        return 0
    rows = []
    for name, (tensors, _) in made.items():
        rows += [(f"{name}: {group}", error, BAR) for group, error in drift(load(name)[0], tensors)]
    found = [*live(), *live_optimizers(made["optim"][0]), *live_sequences(), *live_llamas()]
    rows += [(name, error, BAR) for name, error in found] + [(name, error, NARROW) for name, error in live_rotary()]
    for name, error, bar in rows:
        print(f"{name:48} {error:8.1e}  {'ok' if error <= bar else 'DIFFERS'}")
    return 0 if all(error <= bar for _, error, bar in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
