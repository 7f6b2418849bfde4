"""Repair: this split leaks.

`rows` are the texts of drawn examples, in which a text can occur many times. `split` shall return two lists
of them, training and held out, with all rows in one or the other and about a fifth held out. No text may
stand in both, and whether a text is held out may not depend on what else is in `rows`: else the next run,
which draws other rows, trains on what this one held out.

    def split(rows, seed):
        order = np.random.default_rng(seed).permutation(len(rows))
        cut = len(rows) * 4 // 5
        return [rows[i] for i in order[:cut]], [rows[i] for i in order[cut:]]
"""

import hashlib


def share(text: str, seed: int) -> float:
    return int.from_bytes(hashlib.sha256(f"{seed}:{text}".encode()).digest()[:8], "big") / 2**64


def split(rows: list[str], seed: int) -> tuple[list[str], list[str]]:
    raise NotImplementedError


HINTS = [
    "Two rows with the same text are the same question. The part has to be a function of the text.",
    "share(text, seed) below gives a number from 0 to 1 for a text, always the same one.",
    "A row is held out where share(row, seed) is at least 0.8.",
]
