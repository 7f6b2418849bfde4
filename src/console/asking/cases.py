"""Fourteen questions of a sequence task in four groups, made to fit it: its operations, lengths and largest numbers."""

from itertools import cycle, islice

from common.config import SequenceConfig
from common.data.sequences import Problem, addition, expression, row

_EASY = ("2580361947", "7415920386", "3617482950", "5394817260", "6249130758")
_SAME = ("0", "5", "9")
_DUPLICATES = ("77294", "84166", "36253")

Named = list[tuple[str, list[Problem]]]


def cases(task: SequenceConfig) -> Named:
    """The groups by name: easy first, extremes last."""
    if task.task == "operations":
        return _operations(task)
    return _additions(task) if task.task == "add" else _rows(task)


def _operations(task: SequenceConfig) -> Named:
    counts, ops = cycle(range(task.min_args, task.max_args + 1)), cycle(task.ops)
    size = len(str(task.max_value))

    def case(pattern: str) -> Problem:
        digits = cycle(pattern)
        numbers = ["".join(islice(digits, size)) for _ in range(next(counts))]
        return expression(next(ops), tuple(int(number) % (task.max_value + 1) for number in numbers))

    def twice(pattern: str) -> Problem:
        """One with its last number as its first, too."""
        problem = [int(digit) * task.max_value // 9 for digit in islice(cycle(pattern), next(counts))]
        return expression(next(ops), (problem[-1], *problem[1:]))

    def extreme(smallest_first: bool) -> Problem:
        numbers = islice(cycle((0, task.max_value) if smallest_first else (task.max_value, 0)), next(counts))
        return expression(next(ops), tuple(numbers))

    return [
        ("easy", [case(pattern) for pattern in _EASY]),
        ("all the same", [case(pattern) for pattern in _SAME]),
        ("duplicates", [twice(pattern) for pattern in _DUPLICATES]),
        ("extremes", [extreme(True), extreme(False), extreme(True)]),
    ]


def _rows(task: SequenceConfig) -> Named:
    low, high = task.min_length, task.max_length

    def case(pattern: str, length: int) -> Problem:
        return row(task.task, tuple(map(int, islice(cycle(pattern), length))))

    spread = [low + (high - low) * i // 4 for i in range(5)]
    return [
        ("easy", [case(pattern, length) for pattern, length in zip(_EASY, spread, strict=True)]),
        ("all the same", [case(pattern, length) for pattern, length in zip(_SAME, spread[1:4], strict=True)]),
        ("duplicates", [case(pattern, length) for pattern, length in zip(_DUPLICATES, spread[2:], strict=True)]),
        ("extremes", [case("4", low), case("0123456789", high), case("9876543210", high)]),
    ]


def _additions(task: SequenceConfig) -> Named:
    n = task.max_digits
    half = (n + 1) // 2

    def number(pattern: str, size: int) -> int:
        return int("".join(islice(cycle(pattern), size)))

    easy = [("12", "34", n), ("40", "23", half), ("31", "52", n), ("2", "6", 1), ("14", "41", half)]
    return [
        ("no carry", [addition(number(a, size), number(b, size)) for a, b, size in easy]),
        ("all the same", [addition(number(c, n), number(c, n)) for c in _SAME]),
        ("carries", [addition(number("9", n), 1), addition(number("57", n), number("68", half)), addition(7, 8)]),
        ("extremes", [addition(0, 10**n - 1), addition(10**n - 1, 0), addition(10**n - 1, 10**n - 1)]),
    ]
