"""Arrays as text: base64 of little-endian floats, which the page's script reads back (numbers.js, `unpack`)."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np

from common.types import Array

KINDS = {"f16": "<f2", "f32": "<f4"}


def pack(values: Any, kind: str = "f16") -> dict[str, Any]:
    """`{"shape": [2, 3], "f16": "..."}`. float16 has 11 significant bits, enough for a picture."""
    array = np.asarray(values)
    body = base64.b64encode(array.astype(KINDS[kind]).tobytes()).decode()
    return {"shape": list(array.shape), kind: body}


def pack_shares(shares: Any, kind: str = "f16") -> dict[str, Any]:
    """Numbers from 0 to 1 so packed that 1 stays what is 1: one below it is not rounded up to it."""
    exact = np.asarray(shares)
    below = np.nextafter(np.ones(1, KINDS[kind]), 0)
    return pack(np.where(exact < 1, np.minimum(exact, below), exact), kind)


def unpack(packed: dict[str, Any]) -> Array:
    """The numbers of `pack`, float64."""
    [kind] = packed.keys() - {"shape"}
    flat = np.frombuffer(base64.b64decode(packed[kind]), KINDS[kind])
    return flat.reshape(packed["shape"]).astype(np.float64)


def stretches(values: list[float], most: int) -> Iterator[tuple[float, float]]:
    """(place, mean) of at most `most` equal stretches of a series; the place is the middle, counted from 1."""
    count = min(most, len(values))
    for i in range(count):
        start, stop = i * len(values) // count, (i + 1) * len(values) // count
        yield (start + 1 + stop) / 2, float(np.mean(values[start:stop]))
