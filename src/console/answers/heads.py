"""The screen of one head: its whole map in characters, rows look at columns, masked cells blank."""

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from common.types import Array
from console.answers.parts import whole_percent
from console.asking.heads import Head
from console.page import label

CELL = 4
ROOMY = 24
"""A map of no more columns than these is shown in numbers, in pieces if need be; a wider one by a sign a cell."""
LEVELS = ".:-=+*%#@"
NAMES = {
    "attention": "",
    "across": ": the answer looks at the question",
    "decoder": ": the answer looks back",
    "encoder": ": the question looks at itself",
}


def screen(found: Head, width: int, plain: bool) -> RenderableType:
    """All of it; a map that is wider than the terminal in several pieces, one below the other."""
    rows, columns = ([label(token, plain) for token in tokens] for tokens in (found.rows, found.columns))
    names = [f"{i} {token}" for i, token in enumerate(rows)]
    first = max(map(cell_len, names)) + 1
    title = Text(f"block {found.block}, head {found.number}{NAMES[found.kind]}", "bold")
    most = max(map(cell_len, columns))
    wide = max(CELL, most + 1)
    if first + wide * len(columns) <= width or len(columns) <= ROOMY:
        per = max(1, (width - first) // wide)
        pieces = [_numbers(found, names, columns, first, wide, i, i + per) for i in range(0, len(columns), per)]
        told = "rows look at columns; percent of each row; blank: masked"
    else:
        per = max(1, width - first)
        pieces = [_signs(found, names, columns, first, i, i + per) for i in range(0, len(columns), per)]
        told = f"rows look at columns; {LEVELS} from none to all of a row; blank: masked"
    return Group(title, Text(told, "dim"), *(line for piece in pieces for line in piece))


def _numbers(
    found: Head, names: list[str], columns: list[str], first: int, wide: int, start: int, stop: int
) -> list[Text]:
    top = "".join(" " * (wide - cell_len(token)) + token for token in columns[start:stop])
    lines = [Text(" " * first + top, "dim", no_wrap=True)]
    for name, w_S, mask_S in zip(names, found.shares, found.mask, strict=True):
        cells = "".join(
            f"{whole_percent(w):>{wide}}" if seen else " " * wide
            for w, seen in zip(w_S[start:stop], mask_S[start:stop], strict=True)
        )
        lines.append(Text((_left(name, first) + cells).rstrip(), no_wrap=True))
    return lines


def _signs(found: Head, names: list[str], columns: list[str], first: int, start: int, stop: int) -> list[Text]:
    top = "".join(token if cell_len(token) == 1 else "?" for token in columns[start:stop])
    lines = [Text(" " * first + top, "dim", no_wrap=True)]
    for name, w_S, mask_S in zip(names, found.shares, found.mask, strict=True):
        signs = "".join(_sign(w, seen) for w, seen in zip(w_S[start:stop], mask_S[start:stop], strict=True))
        lines.append(Text((_left(name, first) + signs).rstrip(), no_wrap=True))
    return lines


def _sign(share: Array, seen: bool) -> str:
    return LEVELS[min(len(LEVELS) - 1, int(share * len(LEVELS)))] if seen else " "


def _left(name: str, wide: int) -> str:
    return name + " " * (wide - cell_len(name))
