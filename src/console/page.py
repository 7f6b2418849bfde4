"""What every screen is made of: where it is shown, tables, lines, and text that is shown as it is and does nothing."""

from typing import NamedTuple, Self

from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from console import draw

NARROW = 66
"""Below this width a screen takes its short form."""
BAR = 20


class Page(NamedTuple):
    """The terminal that a screen has to fit."""

    width: int = 80
    ascii_only: bool = False

    @classmethod
    def of(cls, console: Console) -> Self:
        return cls(console.width, draw.is_ascii(console))

    @property
    def narrow(self) -> bool:
        return self.width < NARROW

    def bar(self, share: float) -> str:
        return draw.bar(share, 10 if self.narrow else BAR, self.ascii_only)


def table(*columns: str) -> Table:
    """A table without lines; a column whose name ends in `>` stands to the right."""
    made = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    return made


def lines(*texts: str) -> Group:
    return Group(*(Text(text) for text in texts))


def visible(text: str, ascii_only: bool) -> str:
    """A text without anything that a terminal would act upon: ends of lines as signs, other controls as escapes."""
    return "".join(_shown(letter, ascii_only) for letter in text)


def _shown(letter: str, ascii_only: bool) -> str:
    if letter == "\n" and not ascii_only:
        return "↵"
    sound = letter.isprintable() and (letter.isascii() or not ascii_only)
    return letter if sound else letter.encode("unicode_escape", "surrogatepass").decode()


def label(text: str, ascii_only: bool) -> str:
    """A token by itself, visible; blanks too."""
    blank = "_" if ascii_only else "␣"
    return visible(text, ascii_only).replace(" ", blank)


def cells(letters: list[str], ascii_only: bool) -> str:
    """Tokens in one column each, so that two rows of them can stand one above the other."""
    return "".join(_cell(letter, ascii_only) for letter in letters)


def _cell(letter: str, ascii_only: bool) -> str:
    shown = visible(letter, ascii_only)
    if letter == "\n":
        return "|" if ascii_only else shown
    return shown if cell_len(shown) == 1 else "?"
