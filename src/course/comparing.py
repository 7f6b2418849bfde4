"""What a page shows against what was printed: token by token, numbers to the last digit that is shown.

The last digit may be off by one: two machines round differently, and a number may stand near the edge between two.
"""

import re

_TOKEN = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[^\W\d_]+|[^\s\w]|_")
_NUMBER = re.compile(r"[-+]?\d+(?:\.(\d+))?(?:[eE]([-+]?\d+))?")


def difference(shown: str, printed: str) -> str | None:
    """The first place where they differ, in a sentence; None where they agree."""
    for number, (a, b) in enumerate(zip(_lines(shown), _lines(printed), strict=False), 1):
        wrong = _line(a, b)
        if wrong:
            return f"line {number}: {wrong}"
    n, m = len(_lines(shown)), len(_lines(printed))
    return None if n == m else f"{n} lines are shown, {m} were printed"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def _line(shown: str, printed: str) -> str | None:
    wanted, found = _TOKEN.findall(shown), _TOKEN.findall(printed)
    if len(wanted) == len(found) and all(map(_same, wanted, found)):
        return None
    return f"{shown!r} is shown, {printed!r} was printed"


def _same(shown: str, printed: str) -> bool:
    if shown == printed:
        return True
    a, b = _NUMBER.fullmatch(shown), _NUMBER.fullmatch(printed)
    if not (a and b) or not (a[1] or a[2]):  # whole numbers are counts, and exact
        return False
    if len(a[1] or "") != len(b[1] or ""):
        return False
    unit = 10.0 ** (int(a[2] or 0) - len(a[1] or ""))
    return abs(float(shown) - float(printed)) <= 1.001 * unit
