"""What people type, read as an expression: `Max(5,3,9)`, `max 5 3 9`, `Max ( 5 3 9 )` and `MAX(5 3 9)` are the same.

Lenient in form, strict in meaning. Capitals, brackets, commas, blanks and tabs are free as long as they balance;
whatever would have to be guessed (is `23` the two digits 2 and 3?) is refused, with the place and a sentence.
"""

from common.config import DigitsConfig
from common.data import pieces
from common.data.digits import Expression
from common.data.pieces import ParseError, Piece, Untrained
from common.vocabulary import OPERATIONS

LONGEST = 200
"""Characters that a text may have."""


def parse(text: str, task: DigitsConfig, *, beyond: bool = False) -> Expression:
    """The expression that a text spells.

    Raises ParseError if it is none, and Untrained if the model was not trained on such numbers of arguments or such
    digits; `beyond` asks for those all the same.
    """
    shown = example(task)
    found = pieces.split(text, pieces.EXPRESSION, LONGEST, shown)
    op = pieces.operation(found[0], task.ops, OPERATIONS, shown)
    end = len(text.rstrip(" \t"))
    reads = f"the model reads single digits 0-{task.max_value}"
    groups = pieces.arguments(found[1:], end, shown, lambda piece: pieces.digit(piece, reads))
    args = [piece for group in groups for piece in group]
    _check(op, args, end - 1 if found[-1].text == ")" else end, task, beyond)
    return Expression(op, tuple(int(piece.text) for piece in args))


def example(task: DigitsConfig) -> str:
    """An expression of the task, as people type it."""
    args = (str(int(digit) * task.max_value // 9) for digit in ("5394817260" * task.min_args)[: task.min_args])
    return f"{'Max' if 'Max' in task.ops else task.ops[0]}({','.join(args)})"


def _check(op: str, args: list[Piece], end: int, task: DigitsConfig, beyond: bool) -> None:
    """Raises for numbers of arguments that make no sense, and unless `beyond` for what was not trained on."""
    if len(args) < fewest(op):
        raise ParseError(end, count(op, len(args), task.min_args, task.max_args))
    if beyond:
        return
    for piece in args:
        if int(piece.text) > task.max_value:
            raise Untrained(
                piece.column, f"this model was trained on the digits 0-{task.max_value}, not on {piece.text}"
            )
    if not task.min_args <= len(args) <= task.max_args:
        column = args[task.max_args].column if len(args) > task.max_args else end
        raise Untrained(column, count(op, len(args), task.min_args, task.max_args))


def fewest(op: str) -> int:
    """The least number of arguments that an operation has a meaning for."""
    return 2 if op == "Second" else 1


def count(op: str, n: int, low: int, high: int, what: str = "argument") -> str:
    """What to say where an operation has `n` arguments, and the model was trained on `low` to `high`."""
    wanted = f"{low}" if low == high else f"{low} to {high}"
    return f"{op} has {n} {what}{'' if n == 1 else 's'} here; the model was trained on {wanted}"
