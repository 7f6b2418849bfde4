"""Which part of the data something belongs to: a function of its text and the split seed, and of nothing else."""

import hashlib
from typing import Literal

Part = Literal["train", "validation", "test"]


def part(text: str, split_seed: int) -> Part:
    """80 % train, 10 % validation, 10 % test, by the first 64 bits of a SHA-256 of seed and text."""
    digest = hashlib.sha256(f"{split_seed}:{text}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if share < 0.8 else "validation" if share < 0.9 else "test"
