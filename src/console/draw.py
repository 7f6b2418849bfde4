"""Small drawings made of characters, with a plain form for terminals that know only ASCII."""

import sys
from collections.abc import Sequence

from rich.console import Console

from common.types import Array

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = " ▁▂▃▄▅▆▇█"


def is_ascii(console: Console) -> bool:
    """Whether the terminal cannot be trusted with anything but ASCII."""
    return not console.encoding.lower().startswith("utf") or console.legacy_windows


def bar(share: float, width: int, ascii_only: bool = False) -> str:
    """A bar `share` (0 to 1) of `width` characters long, filled up with blanks."""
    share = min(max(share, 0.0), 1.0)
    if ascii_only:
        return ("#" * round(share * width)).ljust(width)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def curve(values: Sequence[float] | Array, width: int, ascii_only: bool = False) -> str:
    """A row of `width` characters whose heights follow `values`, the means of equal stretches."""
    numbers = [float(v) for v in values]
    if not numbers:
        return ""
    width = min(width, len(numbers))
    means = []
    for i in range(width):
        part = numbers[i * len(numbers) // width : (i + 1) * len(numbers) // width]
        means.append(sum(part) / len(part))
    top = max(means) or 1.0
    levels = " .:-=+*#@" if ascii_only else _LEVELS
    return "".join(levels[max(0, min(8, round(8 * value / top)))] for value in means)


def interactive() -> bool:
    """Whether a person is there to answer a prompt."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
