"""Fourteen expressions of the digit task in four groups, made to fit it."""

from itertools import cycle, islice

from common.config import DigitsConfig
from common.data.digits import Expression

_EASY = ("2580361947", "7415920386", "3617482950", "5394817260", "6249130758")
_SAME = ("0", "5", "9")
# which argument is made equal to which: the second to the first, the last to the one before it, the last to the first
_DUPLICATES = (("7294", 1, 0), ("8416", -1, -2), ("3625", -1, 0))
_EXTREMES = ("09", "90", "009")


def cases(task: DigitsConfig) -> list[tuple[str, list[Expression]]]:
    """Fourteen cases in four groups, made to fit the task: its operations and numbers of arguments taken in turn, the
    digits of each pattern repeated as often as needed and scaled to the task's largest."""
    numbers, ops = cycle(range(task.min_args, task.max_args + 1)), cycle(task.ops)

    def case(pattern: str, to: int = 0, of: int = 0) -> Expression:
        args = [int(c) * task.max_value // 9 for c in islice(cycle(pattern), next(numbers))]
        if len(args) > 1:
            args[to] = args[of]
        return Expression(next(ops), tuple(args))

    return [
        ("easy", [case(pattern) for pattern in _EASY]),
        ("all the same", [case(pattern) for pattern in _SAME]),
        ("duplicates", [case(*duplicate) for duplicate in _DUPLICATES]),
        ("extremes", [case(pattern) for pattern in _EXTREMES]),
    ]
