"""What people type, read as an expression: `Max(5,3,9)`, `max 5 3 9`, `Max ( 5 3 9 )` and `MAX(5 3 9)` are the same.

Lenient in form, strict in meaning. Capitals, brackets, commas, blanks and tabs are free as long as they balance;
whatever would have to be guessed (is `23` the two digits 2 and 3?) is refused, with the place and a sentence.
"""

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from common.config import DigitsConfig
from common.data.digits import Expression
from common.errors import UserError
from common.vocabulary import OPERATIONS

LONGEST = 200
"""Characters that a text may have."""

_PIECE = re.compile(
    r"(?P<blank>[ \t]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"|(?P<mark>[(),])|(?P<other>.)",
    re.DOTALL,
)
_MINUS = "-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"


class ParseError(UserError):
    """A text that is no expression of the task: a sentence, and the place it speaks of.

    `column` counts characters from 0, up to the length of the text where something is missing at its end.
    """

    def __init__(self, column: int, sentence: str):
        super().__init__(sentence)
        self.column = column


class _Piece(NamedTuple):
    kind: str
    text: str
    column: int


def parse(text: str, task: DigitsConfig) -> Expression:
    """The expression that a text spells. Raises ParseError if it is none, or none that the task has."""
    if len(text) > LONGEST:
        raise ParseError(LONGEST, f"this is longer than the {LONGEST} characters that an expression may have")
    found = [_Piece(str(m.lastgroup), m.group(), m.start()) for m in _PIECE.finditer(text)]
    pieces = [piece for piece in found if piece.kind != "blank"]
    if not pieces:
        raise ParseError(0, f"there is nothing here; type an expression, like {example(task)}")
    op = _operation(pieces[0], task)
    end = len(text.rstrip(" \t"))
    args = _arguments(pieces[1:], end, task)
    if len(args) > task.max_args:
        raise ParseError(args[task.max_args].column, _count(op, len(args), task))
    if len(args) < task.min_args:
        raise ParseError(end - 1 if pieces[-1].text == ")" else end, _count(op, len(args), task))
    return Expression(op, tuple(int(piece.text) for piece in args))


def example(task: DigitsConfig) -> str:
    """An expression of the task, as people type it."""
    args = (str(int(digit) * task.max_value // 9) for digit in ("5394817260" * task.min_args)[: task.min_args])
    return f"{'Max' if 'Max' in task.ops else task.ops[0]}({','.join(args)})"


def _operation(piece: _Piece, task: DigitsConfig) -> str:
    if piece.kind == "other":
        raise _strange(piece)
    if piece.kind != "word":
        raise ParseError(piece.column, f"an expression begins with its operation, like {example(task)}")
    name = piece.text.capitalize()
    if name in task.ops:
        return name
    known = ", ".join(task.ops)
    if name in OPERATIONS:
        raise ParseError(piece.column, f"this model was not trained on {name}; it knows {known}")
    near = get_close_matches(name, task.ops, 1)
    hint = f"did you mean {near[0]}?" if near else f"use {known}"
    raise ParseError(piece.column, f"there is no operation {_short(piece.text)!r}; {hint}")


def _arguments(pieces: Sequence[_Piece], end: int, task: DigitsConfig) -> list[_Piece]:
    """The digits, between brackets or not. Whatever cannot stand where it stands is raised, the leftmost first."""
    args: list[_Piece] = []
    opened = closed = False
    comma: _Piece | None = None
    for i, piece in enumerate(pieces):
        if closed:
            raise ParseError(piece.column, "the expression ends at its closing bracket; ask one expression at a time")
        match piece.text:
            case "(" if opened:
                raise ParseError(piece.column, "this is a second opening bracket; one pair is enough")
            case "(" if i > 0:
                raise ParseError(piece.column, f"the bracket opens right after the operation, as in {example(task)}")
            case "(":
                opened = True
            case ")" if not opened:
                raise ParseError(piece.column, "this bracket closes, but none was opened")
            case ")":
                closed = True
                _no_stray(comma)
            case ",":
                _no_stray(piece if comma or not args else None)
                comma = piece
            case _:
                _check_digit(piece, task)
                args.append(piece)
                comma = None
    _no_stray(comma)
    if opened and not closed:
        raise ParseError(end, "the bracket is never closed; add ) at the end")
    return args


def _no_stray(comma: _Piece | None) -> None:
    if comma:
        raise ParseError(comma.column, "this comma does not stand between two digits; take it out")


def _check_digit(piece: _Piece, task: DigitsConfig) -> None:
    """Raises ParseError, which says why, unless the piece is one digit of the task."""
    text, shown = piece.text, _short(piece.text)
    digits = f"the model reads single digits 0-{task.max_value}"
    if piece.kind == "word":
        nested = text.capitalize() in OPERATIONS
        why = "expressions cannot stand inside one another" if nested else "arguments are single digits"
        raise ParseError(piece.column, f"{shown!r} stands where a digit belongs; {why}")
    if piece.kind == "other":
        raise _strange(piece)
    if text[0] in "+-":
        sign = "minus" if text[0] == "-" else "plus"
        raise ParseError(piece.column, f"{shown} has a {sign} sign; {digits} without a sign")
    if "." in text:
        raise ParseError(piece.column, f"{shown} is a decimal; {digits}")
    if len(text) > 1:
        apart = " ".join(shown) if shown == text else f"{' '.join(text[:3])} ..."
        raise ParseError(piece.column, f"{shown} has {len(text)} digits; {digits}, and {shown} is not {apart}")
    if int(text) > task.max_value:
        raise ParseError(piece.column, f"this model was trained on the digits 0-{task.max_value}, not on {text}")


def _short(text: str) -> str:
    """Enough of a text to know it by."""
    return text if len(text) <= 16 else f"{text[:12]}..."


def _strange(piece: _Piece) -> ParseError:
    """What to say of a character that no expression has."""
    char = piece.text
    category = unicodedata.category(char)
    name = unicodedata.name(char, "").lower()
    if char in _MINUS:
        sentence = "this is a minus sign; the model reads single digits 0-9 without one"
    elif category == "Cs":
        sentence = "this byte is not UTF-8 text; save the text as UTF-8"
    elif category in ("Cc", "Cf", "Zs", "Zl", "Zp"):
        sentence = f"there is an invisible character here ({name or f'control character {ord(char)}'}); take it out"
    elif not char.isascii() and char.isnumeric():
        sentence = f"'{char}' ({name}) is not one of the digits 0-9 of the keyboard"
    elif not char.isascii():
        sentence = f"'{char}' ({name or f'U+{ord(char):04X}'}) has no place in an expression"
    elif char in "[]{}":
        sentence = f"'{char}' is not used here; use ( and )"
    else:
        sentence = f"'{char}' has no place in an expression; digits are set apart by blanks or commas"
    return ParseError(piece.column, sentence)


def _count(op: str, n: int, task: DigitsConfig) -> str:
    low, high = task.min_args, task.max_args
    wanted = f"{low}" if low == high else f"{low} to {high}"
    return f"{op} has {n} argument{'' if n == 1 else 's'} here; the model was trained on {wanted}"
