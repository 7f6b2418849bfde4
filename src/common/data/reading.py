"""What people type, read as a question of a sequence task: `Max(23,45,89)`, `max 23 45 89 =`, `195+7`, `sort 3 1 4`.

Lenient in form, strict in meaning, as parsing.py. A number may be typed as the model reads it, digit by digit, wherever
that can be no other number: in `1 9 5 + 7`, and between commas, as in `Max ( 2 3 , 4 5 , 8 9 )`.
"""

from common.config import SequenceConfig
from common.data import pieces, sequences
from common.data.parsing import count, fewest
from common.data.pieces import ParseError, Piece, Untrained
from common.data.sequences import Problem
from common.vocabulary import OPERATIONS

LONGEST = 1_000
"""Characters that a text may have."""
ROWS = ("Copy", "Reverse", "Sort")
_NUMBERS = "the model reads whole numbers"
_DIGITS = "the model reads single digits 0-9"


def read(text: str, task: SequenceConfig, *, beyond: bool = False) -> Problem:
    """The question that a text spells, and its answer.

    Raises ParseError if it is none, and Untrained if it is longer, shorter or of larger numbers than those that the
    model was trained on; `beyond` asks for those all the same.
    """
    form = pieces.ADDITION if task.task == "add" else pieces.QUESTION
    found, end = _without_equals(pieces.split(text, form, LONGEST, example(task)), text, task)
    if task.task == "add":
        return _addition(found, end, task, beyond)
    known = task.ops if task.task == "operations" else (task.task.capitalize(),)
    op = pieces.operation(found[0], known, (*OPERATIONS, *ROWS), example(task))
    missing = end - 1 if found[-1].text == ")" else end
    if task.task == "operations":
        return _expression(op, found[1:], (end, missing), task, beyond)
    return _row(op, found[1:], (end, missing), task, beyond)


def example(task: SequenceConfig) -> str:
    """A question of the task, as people type it."""
    if task.task == "add":
        return "195+7" if task.max_digits >= 3 else "19+7" if task.max_digits == 2 else "9+7"
    if task.task == "operations":
        args = (str(value % (task.max_value + 1)) for value in ((23, 45, 89, 7, 61) * task.min_args)[: task.min_args])
        return f"{'Max' if 'Max' in task.ops else task.ops[0]}({','.join(args)})"
    length = min(max(3, task.min_length), task.max_length)
    return f"{task.task.capitalize()}({','.join(('31415926535' * length)[:length])})"


def _without_equals(found: list[Piece], text: str, task: SequenceConfig) -> tuple[list[Piece], int]:
    """The pieces before the `=`, which may be left out, and the place where they end."""
    place = next((i for i, piece in enumerate(found) if piece.text == "="), len(found))
    if place == 0:
        raise ParseError(found[0].column, f"there is no question before this =; type one, like {example(task)}")
    if place + 1 < len(found):
        raise ParseError(found[place + 1].column, "the question ends at its =; what comes next is the model's to say")
    last = found[place - 1]
    return found[:place], last.column + len(last.text)


def _addition(found: list[Piece], end: int, task: SequenceConfig, beyond: bool) -> Problem:
    sides: list[list[Piece]] = [[]]
    for piece in found:
        if piece.text == "+" and len(sides) == 2:
            raise ParseError(piece.column, "this is a second +; the model adds two numbers")
        if piece.text == "+" and not sides[0]:
            raise ParseError(piece.column, f"a number is missing before this +, as in {example(task)}")
        if piece.text == "+":
            sides.append([])
            continue
        if piece.kind == "mark":
            raise ParseError(piece.column, f"an addition is two numbers and a +, like {example(task)}")
        pieces.number(piece, "number", _NUMBERS)
        sides[-1].append(piece)
    if len(sides) < 2:
        raise ParseError(end, f"there is no + here; a question is an addition, like {example(task)}")
    if not sides[1]:
        raise ParseError(end, f"a number is missing after the +, as in {example(task)}")
    a, b = (_joined(side) for side in sides)
    for side, value in zip(sides, (a, b), strict=True):
        digits = len(str(value))
        if digits > task.max_digits and not beyond:
            told = f"{pieces.short(str(value))} has {digits} digits; the model was trained on up to {task.max_digits}"
            raise Untrained(side[0].column, told)
    return sequences.addition(a, b)


def _joined(group: list[Piece]) -> int:
    """The number that a group of pieces spells: in one piece, or digit by digit."""
    text = "".join(piece.text for piece in group)
    if len(group) > 1 and max(len(piece.text) for piece in group) > 1:
        shown = pieces.short(text)
        raise ParseError(group[1].column, f"there is a blank inside this number; if it is {shown}, write {shown}")
    if len(text) > 1 and text[0] == "0":
        shown = pieces.short(text.lstrip("0") or "0")
        raise ParseError(group[0].column, f"the model reads numbers without a 0 in front: write {shown}")
    return int(text)


def _expression(op: str, found: list[Piece], ends: tuple[int, int], task: SequenceConfig, beyond: bool) -> Problem:
    end, missing = ends
    groups = pieces.arguments(found, end, example(task), lambda piece: _check_number(piece, task))
    numbers = _numbers(groups, task)
    args = tuple(_joined(group) for group in numbers)
    if len(args) < fewest(op):
        raise ParseError(missing, count(op, len(args), task.min_args, task.max_args))
    if beyond:
        return sequences.expression(op, args)
    for group, value in zip(numbers, args, strict=True):
        if value > task.max_value:
            shown = pieces.short(str(value))
            raise Untrained(group[0].column, f"this model was trained on numbers 0-{task.max_value}, not on {shown}")
    if not task.min_args <= len(args) <= task.max_args:
        column = numbers[task.max_args][0].column if len(args) > task.max_args else missing
        raise Untrained(column, count(op, len(args), task.min_args, task.max_args))
    return sequences.expression(op, args)


def _check_number(piece: Piece, task: SequenceConfig) -> None:
    pieces.number(piece, "number", f"{_NUMBERS}, 0-{task.max_value}")


def _numbers(groups: list[list[Piece]], task: SequenceConfig) -> list[list[Piece]]:
    """The pieces of each number: a group between commas is one; without any comma blanks part the numbers."""
    [first, *others] = groups
    apart = len(first) > 1 and all(len(piece.text) == 1 for piece in first)
    if others or (apart and task.max_args == 1):
        return groups
    if apart and task.min_args == 1:
        digits = [piece.text for piece in first[:8]]
        told = f"this may be {''.join(digits)} or {', '.join(digits)}: take out the blanks, or add commas"
        raise ParseError(first[1].column, told)
    return [[piece] for piece in first]


def _row(op: str, found: list[Piece], ends: tuple[int, int], task: SequenceConfig, beyond: bool) -> Problem:
    end, missing = ends
    groups = pieces.arguments(found, end, example(task), lambda piece: pieces.digit(piece, _DIGITS))
    digits = [piece for group in groups for piece in group]
    told = count(op, len(digits), task.min_length, task.max_length, "digit")
    if not digits:
        raise ParseError(missing, told)
    if not (beyond or task.min_length <= len(digits) <= task.max_length):
        raise Untrained(digits[task.max_length].column if len(digits) > task.max_length else missing, told)
    return sequences.row(task.task, tuple(int(piece.text) for piece in digits))
