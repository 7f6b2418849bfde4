"""A place in a GGUF file that moves forward as numbers, strings and arrays are read.

A length is compared with the bytes that are left before anything is read or allocated.
"""

import struct
from typing import Any

import numpy as np

from common.types import Array

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_SCALARS = ["u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "?", "", "", "<u8", "<i8", "<f8"]
"""What each number for a type means; the two between are strings and arrays."""
_STRING, _ARRAY = 8, 9


class DamagedError(Exception):
    """What is wrong with the file, without its name."""


class Cursor:
    def __init__(self, data: Array):
        self.data, self.at = memoryview(data.data), 0

    def take(self, size: int, what: str) -> memoryview:
        if size > len(self.data) - self.at:
            raise DamagedError(f"ends too early, in the middle of {what}: it is incomplete or damaged")
        part = self.data[self.at : self.at + size]
        self.at += size
        return part

    def u32(self, what: str) -> int:
        return _U32.unpack(self.take(4, what))[0]

    def u64(self, what: str) -> int:
        return _U64.unpack(self.take(8, what))[0]

    def string(self, what: str) -> str:
        try:
            return str(self.take(self.u64(what), what), "utf-8")
        except UnicodeDecodeError:
            raise DamagedError(f"is damaged: {what} is not UTF-8 text") from None

    def value(self, kind: int, key: str) -> Any:
        if kind == _STRING:
            return self.string(f"the value of {key!r}")
        if kind == _ARRAY:
            return self._array(self.u32(key), self.u64(key), key)
        return self._numbers(kind, 1, key)[0].item()

    def _array(self, kind: int, count: int, key: str) -> list[str] | Array:
        if kind == _ARRAY:
            raise DamagedError(f"holds arrays in an array under {key!r}, which no model does")
        return self._strings(count, key) if kind == _STRING else self._numbers(kind, count, key)

    def _numbers(self, kind: int, count: int, key: str) -> Array:
        dtype = _SCALARS[kind] if kind < len(_SCALARS) else ""
        if not dtype:
            raise DamagedError(f"is damaged: {key!r} has the unknown type {kind}")
        raw = self.take(count * np.dtype(dtype).itemsize, f"the value of {key!r}")
        if dtype == "?" and not set(raw) <= {0, 1}:
            raise DamagedError(f"is damaged: {key!r} is neither true nor false")
        return np.frombuffer(raw, dtype)

    def _strings(self, count: int, key: str) -> list[str]:
        """A vocabulary has a hundred thousand of them: one short loop, a tenth of a second."""
        data, at, end, size_at = self.data, self.at, len(self.data), _U64.unpack_from
        if count > (end - at) // 8:
            raise DamagedError(f"ends too early, in the middle of the value of {key!r}: it is incomplete or damaged")
        found = []
        try:
            for _ in range(count):
                at += 8
                stop = at + size_at(data, at - 8)[0]
                if stop > end:
                    raise struct.error
                found.append(str(data[at:stop], "utf-8"))
                at = stop
        except struct.error:
            raise DamagedError(
                f"ends too early, in the middle of the value of {key!r}: it is incomplete or damaged"
            ) from None
        except UnicodeDecodeError:
            raise DamagedError(f"is damaged: entry {len(found)} of {key!r} is not UTF-8 text") from None
        self.at = at
        return found
