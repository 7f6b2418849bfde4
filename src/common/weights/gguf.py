"""GGUF files: header, metadata and the table of tensors, read from a memory-mapped file.

    magic "GGUF"  version  number of tensors  number of entries
    entries       key, type, value            strings are a length and UTF-8; arrays a type, a length and values
    tensors       name, dimensions (innermost first), format, offset
    data          aligned; each tensor at its offset from here

All numbers are little-endian. No claim of the file is believed: a length is compared with the bytes that are left
before anything is read or allocated, and a tensor has to lie inside the file and apart from the others.

The format is described in the documentation of GGML, version 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

from common import files
from common.files import FileError
from common.types import Array
from common.weights.cursor import Cursor, DamagedError
from common.weights.numbers import SIZES

_LONGEST = 65_535
"""Letters of a name at most."""
_DEEPEST = 4
"""Dimensions of a tensor at most, as in GGML."""
_FORMATS = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1"}
_FORMATS |= {10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS"}
_FORMATS |= {18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS"}
_FORMATS |= {
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    29: "IQ1_M",
    30: "BF16",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
}
"""GGML's numbers for its formats, and their names. Which of them can be read stands in numbers.SIZES."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file: what it is, and its bytes where they lie."""

    shape: tuple[int, ...]
    """Outermost first, as NumPy has it."""
    format: str
    raw: Array
    """(rows, bytes of a row) uint8, a view into the file."""


@dataclass(frozen=True)
class GGUF:
    path: Path
    metadata: dict[str, Any]
    """Numbers, strings, lists of strings, and arrays that are views into the file."""
    tensors: dict[str, Tensor]


def read(path: Path | str) -> GGUF:
    """Open a file; its tensors stay on disk until they are looked at. Raises FileError for anything amiss."""
    path = Path(path)
    data = files.mapped(path)
    try:
        metadata, table, start = _header(data)
        return GGUF(path, metadata, _tensors(data, table, start))
    except DamagedError as error:
        raise FileError(path, str(error)) from None


def _header(data: Array) -> tuple[dict[str, Any], dict[str, tuple], int]:
    cursor = Cursor(data)
    if cursor.take(4, "the magic number").tobytes() != b"GGUF":
        raise DamagedError("is no GGUF file: it does not begin with the letters GGUF")
    version = cursor.u32("the version")
    if version & 0xFFFF == 0:
        raise DamagedError("is a big-endian GGUF file; only little-endian ones are read")
    if version not in (2, 3):
        raise DamagedError(f"has GGUF version {version}; versions 2 and 3 are read")
    n_tensors, n_entries = cursor.u64("the number of tensors"), cursor.u64("the number of entries")
    metadata = _named(cursor, n_entries, "key", lambda key: cursor.value(cursor.u32(key), key))
    table = _named(cursor, n_tensors, "tensor", lambda name: _entry(cursor, name))
    align = metadata.get("general.alignment", 32)
    if not isinstance(align, int) or isinstance(align, bool) or align < 1 or align & (align - 1):
        raise DamagedError(f"is damaged: general.alignment is {align!r}, not a power of two")
    return metadata, table, -(-cursor.at // align) * align


def _named(cursor: Cursor, count: int, what: str, value: Callable[[str], Any]) -> dict[str, Any]:
    """So many names and values. What is claimed is not allocated: the loop ends where the file does."""
    found: dict[str, Any] = {}
    for _ in range(count):
        name = cursor.string(f"the name of {what} {len(found)} of {count}")
        if len(name) > _LONGEST:
            raise DamagedError(f"is damaged: the name of {what} {len(found)} has {len(name)} letters")
        if name in found:
            raise DamagedError(f"is damaged: {what} {name!r} is there twice")
        found[name] = value(name)
    return found


def _entry(cursor: Cursor, name: str) -> tuple[tuple[int, ...], str, int]:
    """Shape, format and offset of a tensor."""
    where = f"the table entry of {name!r}"
    rank = cursor.u32(where)
    if not 1 <= rank <= _DEEPEST:
        raise DamagedError(f"is damaged: tensor {name!r} has {rank} dimensions")
    shape = tuple(cursor.u64(where) for _ in range(rank))[::-1]
    code, offset = cursor.u32(where), cursor.u64(where)
    form = _FORMATS.get(code, str(code))
    if form not in SIZES:
        raise DamagedError(f"tensor {name!r} is stored in a format that cannot be read: GGML's {form}")
    return shape, form, offset


def _tensors(data: Array, table: dict[str, tuple], start: int) -> dict[str, Tensor]:
    tensors, spans = {}, []
    for name, (shape, form, offset) in table.items():
        numbers, size = SIZES[form]
        if 0 in shape or shape[-1] % numbers:
            raise DamagedError(f"is damaged: tensor {name!r} of shape {shape} cannot be stored as {form}")
        rows, width = prod(shape[:-1]), shape[-1] // numbers * size
        begin, end = start + offset, start + offset + rows * width
        if end > len(data):
            raise DamagedError(f"ends too early: tensor {name!r} needs bytes up to {end}, the file has {len(data)}")
        tensors[name] = Tensor(shape, form, data[begin:end].reshape(rows, width))
        spans.append((begin, end, name))
    spans.sort()
    for (_, end, first), (begin, _, second) in pairwise(spans):
        if begin < end:
            raise DamagedError(f"is damaged: tensors {first!r} and {second!r} overlap")
    return tensors
