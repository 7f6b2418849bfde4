"""A text that is no question: where it goes wrong, and why."""

from rich.cells import cell_len
from rich.text import Text

from common.data.pieces import ParseError
from console.terminal import printable


def trouble(text: str, error: ParseError, *, where: str, width: int, plain: bool, echo: bool) -> Text:
    """What was typed, a caret under the place where it goes wrong, and the sentence."""
    sentence = printable(f"{where}: {error}" if where else str(error), plain)
    if not text.strip():
        return Text(sentence, "red")
    safe, before = _window(text, error.column, width - 4, plain)
    caret = " " * (2 + cell_len(before)) + "^"
    return Text(f"  {safe}\n{caret}\n" if echo else f"{caret}\n").append(sentence, "red")


def _window(text: str, column: int, width: int, plain: bool) -> tuple[str, str]:
    """The part of a text that fits into `width` cells with the column in it, and the part of that before the column."""
    safe = printable(text, plain)
    start = 0
    while cell_len(safe[start:column]) > width * 3 // 4:
        start += 1
    stop = len(safe)
    while cell_len(safe[start:stop]) > width:
        stop -= 1
    return safe[start:stop], safe[start:column]
