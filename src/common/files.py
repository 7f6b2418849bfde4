"""Files that somebody else wrote: a sentence for all that can be wrong with them, and no trust in their sizes."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import UserError
from common.types import Array

TEXT_LIMIT = 64 << 20
"""Bytes. The largest tokenizer.json in use is a third of this; a larger text file is a mistake."""


class FileError(UserError):
    """A file cannot be read or written. The message names it and the reason; `problems` lists every one."""

    def __init__(self, path: Path | str, reason: str, problems: list[str] | None = None):
        # a damaged or hostile file chooses part of the reason: it must stay one line of a sensible length
        short = reason if len(reason) <= 600 else f"{reason[:600]}…"
        super().__init__("".join(c if c.isprintable() else "?" for c in f"{path}: {short}"))
        self.problems = problems or [reason]

    @classmethod
    def of(cls, path: Path | str, problems: list[str], doing: str = "", shown: int = 8) -> "FileError":
        """One error for many problems: the first few in the message, all of them in `problems`."""
        more = f"; and {len(problems) - shown} more" if len(problems) > shown else ""
        return cls(path, doing + "; ".join(p[:200] for p in problems[:shown]) + more, problems)


def size(path: Path) -> int:
    """The size of a file in bytes. Raises FileError if it is missing, no plain file, or may not be read."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise FileError(path, "is a folder or a device, not a file")
        open(path, "rb").close()
    except FileNotFoundError:
        raise FileError(path, "there is no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise _unreadable(path, error) from None
    return found.st_size


def mapped(path: Path) -> Array:
    """The bytes of a file, (bytes,) uint8, mapped into memory: read from disk only where they are looked at."""
    if size(path) == 0:
        raise FileError(path, "is empty")
    try:
        return np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def content(path: Path) -> bytes:
    """All bytes of a file that should be small."""
    if size(path) > TEXT_LIMIT:
        raise FileError(path, f"is larger than {TEXT_LIMIT >> 20} MiB, which no such file should be")
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def text(path: Path) -> str:
    """A file as UTF-8 text."""
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(path, f"is not UTF-8 text (byte {error.start})") from None


def json_object(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object."""
    try:
        told = json.loads(text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise FileError(path, f"is not JSON ({error})") from None
    if not isinstance(told, dict):
        raise FileError(path, "holds no JSON object")
    return told


def _unreadable(path: Path, error: Exception) -> FileError:
    if isinstance(error, FileError):
        return error
    return FileError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}")
