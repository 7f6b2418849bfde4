"""safetensors files: tensors found where they lie, and written one after the other.

The library checks the header; the numbers are read from the mapped file by us, since it knows no bfloat16 in NumPy and
would copy every tensor once more.
"""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors

from common import files
from common.files import FileError
from common.types import Array
from common.weights import numbers
from common.weights.filling import Stored

_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def stored(path: Path) -> dict[str, Stored]:
    """Every tensor of a file, by name. Raises FileError for a file that is damaged or holds other kinds of numbers."""
    data = files.mapped(path)
    try:
        with safetensors.safe_open(path, framework="np"):
            pass
        size = int.from_bytes(data[:8].tobytes(), "little")
        header = json.loads(data[8 : 8 + size].tobytes())
    except Exception as error:
        # by the place of the damage: the library's own error, or nearly any other
        raise FileError(path, f"is damaged, or no safetensors file at all ({error})") from None
    header.pop("__metadata__", None)
    odd = sorted({entry["dtype"] for entry in header.values()} - set(_SIZES))
    if odd:
        raise FileError(path, f"holds numbers in the formats {', '.join(odd)}; read are {', '.join(_SIZES)}")
    empty = sorted(name for name, entry in header.items() if 0 in entry["shape"])
    if empty:
        raise FileError(path, f"holds tensors without a number in them: {', '.join(empty[:5])}")
    return {name: _tensor(data[8 + size :], entry) for name, entry in header.items()}


def _tensor(data: Array, entry: Mapping[str, Any]) -> Stored:
    shape, form, (begin, end) = tuple(entry["shape"]), entry["dtype"], entry["data_offsets"]
    raw = data[begin:end].reshape(shape[0] if shape else 1, -1)
    return Stored(shape, form, partial(_rows, raw, form, shape[1:]))


def _rows(raw: Array, form: str, rest: tuple[int, ...], start: int, stop: int) -> Array:
    return numbers.decoded(raw[start:stop], form).reshape(stop - start, *rest)


def write(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: Any, strips: Callable[[str], Any]) -> None:
    """Write a file: `strips(name)` gives the numbers of each tensor in parts, first rows first.

    The file takes the place of one that was there only when it is whole and on the disk. Raises FileError.
    """
    kind = np.dtype(dtype)
    if kind.name not in _NAMES:
        raise FileError(path, f"cannot be written: no tensors of {kind.name}")
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        end = at + int(np.prod(shape)) * kind.itemsize
        header[name] = {"dtype": _NAMES[kind.name], "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    def body(file: BinaryIO) -> None:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in shapes:
            for strip in strips(name):
                file.write(np.ascontiguousarray(strip).view(np.uint8).data)

    replaced(path, body)


def replaced(path: Path, write_to: Callable[[BinaryIO], None]) -> None:
    """Write a file beside its place, sync it, and move it there; what fails leaves no trace. Raises FileError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                write_to(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:  # Ctrl-C too
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise FileError(path, f"cannot be written: {error.strerror or error}") from None
