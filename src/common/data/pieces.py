"""What people type, cut into words, numbers and marks, and the sentences for what cannot stand where it stands.

Shared by the readers of the two kinds of questions: parsing.py (digits) and reading.py (sequences).
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from common.errors import UserError
from common.vocabulary import OPERATIONS

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_FORM = r"(?P<blank>[ \t]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>{})|(?P<mark>[{}])|(?P<other>.)"
EXPRESSION = re.compile(_FORM.format(rf"[-+]?{_NUMBER}", "(),"), re.DOTALL)
QUESTION = re.compile(_FORM.format(rf"[-+]?{_NUMBER}", "(),="), re.DOTALL)
ADDITION = re.compile(_FORM.format(_NUMBER, "(),=+"), re.DOTALL)
_MINUS = "-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"


class ParseError(UserError):
    """A text that is no question of the task: a sentence, and the place it speaks of.

    `column` counts characters from 0, up to the length of the text where something is missing at its end.
    """

    def __init__(self, column: int, sentence: str):
        super().__init__(sentence)
        self.column = column


class Untrained(ParseError):  # noqa: N818 (the question is sound; it is the model that has never seen its like)
    """A question that the model can read, longer or with larger numbers than any it was trained on."""


class Piece(NamedTuple):
    kind: str
    text: str
    column: int


def split(text: str, form: re.Pattern[str], longest: int, example: str) -> list[Piece]:
    """The pieces of a text but its blanks. Raises ParseError if it has none, or more than `longest` characters."""
    if len(text) > longest:
        raise ParseError(longest, f"this is longer than the {longest} characters that a question may have")
    found = [Piece(str(m.lastgroup), m.group(), m.start()) for m in form.finditer(text)]
    pieces = [piece for piece in found if piece.kind != "blank"]
    if not pieces:
        raise ParseError(0, f"there is nothing here; type a question, like {example}")
    return pieces


def operation(piece: Piece, known: Sequence[str], others: Sequence[str], example: str) -> str:
    """The operation that a piece names, of the `known` ones. `others` exist, but this model does not know them."""
    if piece.kind == "other":
        raise strange(piece)
    if piece.kind != "word":
        raise ParseError(piece.column, f"a question begins with its operation, like {example}")
    name, listed = piece.text.capitalize(), ", ".join(known)
    if name in known:
        return name
    if name in others:
        raise ParseError(piece.column, f"this model was not trained on {name}; it knows {listed}")
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"use {listed}"
    raise ParseError(piece.column, f"there is no operation {short(piece.text)!r}; {hint}")


def arguments(pieces: Sequence[Piece], end: int, example: str, check: Callable[[Piece], None]) -> list[list[Piece]]:
    """The numbers behind an operation, between brackets or not, in the groups that commas part.

    Whatever cannot stand where it stands is raised, the leftmost first; `check` raises it for what is no number.
    """
    groups: list[list[Piece]] = [[]]
    opened = closed = False
    comma: Piece | None = None
    for i, piece in enumerate(pieces):
        if closed:
            raise ParseError(piece.column, "the question ends at its closing bracket; ask one question at a time")
        match piece.text:
            case "(" if opened:
                raise ParseError(piece.column, "this is a second opening bracket; one pair is enough")
            case "(" if i > 0:
                raise ParseError(piece.column, f"the bracket opens right after the operation, as in {example}")
            case "(":
                opened = True
            case ")" if not opened:
                raise ParseError(piece.column, "this bracket closes, but none was opened")
            case ")":
                closed = True
                _no_stray(comma)
            case ",":
                _no_stray(piece if comma or not groups[-1] else None)
                comma = piece
                groups.append([])
            case _:
                check(piece)
                groups[-1].append(piece)
                comma = None
    _no_stray(comma)
    if opened and not closed:
        raise ParseError(end, "the bracket is never closed; add ) at the end")
    return groups


def _no_stray(comma: Piece | None) -> None:
    if comma:
        raise ParseError(comma.column, "this comma does not stand between two numbers; take it out")


def number(piece: Piece, what: str, reads: str) -> str:
    """The digits of a piece that is a whole number without a sign; anything else is raised.

    `what` is what belongs here (`digit`, `number`), `reads` says what the model reads.
    """
    text, shown = piece.text, short(piece.text)
    if piece.kind == "word":
        nested = text.capitalize() in OPERATIONS
        why = "questions cannot stand inside one another" if nested else reads
        raise ParseError(piece.column, f"{shown!r} stands where a {what} belongs; {why}")
    if piece.kind != "number":
        raise strange(piece)
    if text[0] in "+-":
        sign = "minus" if text[0] == "-" else "plus"
        raise ParseError(piece.column, f"{shown} has a {sign} sign; {reads} without a sign")
    if "." in text:
        raise ParseError(piece.column, f"{shown} is a decimal; {reads}")
    return text


def digit(piece: Piece, reads: str) -> None:
    """Raises ParseError unless a piece is a single digit."""
    text = number(piece, "digit", reads)
    if len(text) > 1:
        apart = " ".join(text) if short(text) == text else f"{' '.join(text[:3])} ..."
        shown = short(text)
        raise ParseError(piece.column, f"{shown} has {len(text)} digits; {reads}: write {apart} if that is meant")


def short(text: str) -> str:
    """Enough of a text to know it by."""
    return text if len(text) <= 16 else f"{text[:12]}..."


def strange(piece: Piece) -> ParseError:
    """What to say of a character that no question has."""
    char = piece.text
    category = unicodedata.category(char)
    name = unicodedata.name(char, "").lower()
    if char in _MINUS:
        sentence = "this is a minus sign; the model reads digits 0-9 without one"
    elif category == "Cs":
        sentence = "this byte is not UTF-8 text; save the text as UTF-8"
    elif category in ("Cc", "Cf", "Zs", "Zl", "Zp"):
        sentence = f"there is an invisible character here ({name or f'control character {ord(char)}'}); take it out"
    elif not char.isascii() and char.isnumeric():
        sentence = f"'{char}' ({name}) is not one of the digits 0-9 of the keyboard"
    elif not char.isascii():
        sentence = f"'{char}' ({name or f'U+{ord(char):04X}'}) has no place in a question"
    elif char in "[]{}":
        sentence = f"'{char}' is not used here; use ( and )"
    else:
        sentence = f"'{char}' has no place here; numbers are set apart by blanks or commas"
    return ParseError(piece.column, sentence)
