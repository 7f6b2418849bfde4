"""Attention: who looks at whom. The weights stand in the cells, in hundredths; a masked cell is blank."""

import numpy as np
from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from common.types import Array
from console.page import Page, lines, table
from console.stepper import shown
from console.stepper.layout import Part
from console.stepper.moment import Look, Moment
from console.stepper.view import View

ROWS = 16
"""A longer example is shown by one position's look alone."""
HIGH = 40
"""Lines that all heads together may take; more are shown by one position's look, and one head alone whole."""
MOST = 4
"""So many places of a look are named where not all fit."""
CELL = 3
SHORT = 5
"""The least width of a name with a blank behind it."""


def render(moment: Moment, view: View, page: Page, *, part: Part) -> RenderableType:
    look, row = view.look(moment), view.row
    w_HTS, mask_TS = weights(look, part, row)
    asks, answers = (_words(moment, look, row, side, page) for side in (part.asks, part.answers))
    w_HTS, mask_TS = w_HTS[:, : len(asks), : len(answers)], mask_TS[: len(asks), : len(answers)]
    heads = list(range(len(w_HTS))) if view.head is None or view.head >= len(w_HTS) else [view.head]
    label = max(map(cell_len, asks)) + 1
    abreast = max(1, (page.width - label) // (CELL * len(answers) + 2))
    high = -(-len(heads) // abreast) * (len(asks) + 3)
    fits = len(asks) <= ROWS and label + CELL * len(answers) <= page.width and high <= HIGH
    body = (
        _matrices(w_HTS, mask_TS, heads, asks, answers, page, label)
        if fits
        else _one_look(w_HTS, mask_TS, heads, asks, answers, _token(view, look, row, part), page)
    )
    return shown.over(shown.head_line(moment, look, row, page), Text(""), body, lines(*_facts(look, part, row)))


def weights(look: Look, part: Part, row: int) -> tuple[Array, Array]:
    """Of one example: the shares (heads, T, S), and which of them the mask allows (T, S)."""
    w_BNGTS = look.trace[f"{part.path}/attend.forward/w_BNGTS"]
    mask_BTS = look.trace[f"{part.path}/attend.forward/mask_BTS"]
    return w_BNGTS[row].reshape(-1, *w_BNGTS.shape[-2:]), mask_BTS[row]


def _words(moment: Moment, look: Look, row: int, side: str, page: Page) -> list[str]:
    ids = getattr(look.examples, side)[row][: shown.length(look.examples, row, side)]
    return shown.names(ids, moment.task, page)


def _token(view: View, look: Look, row: int, part: Part) -> int:
    n = shown.length(look.examples, row, part.asks)
    return min(view.token if view.token is not None else shown.reads_out(look.examples, row), n - 1)


def _matrices(
    w_HTS: Array, mask_TS: Array, heads: list[int], asks: list[str], answers: list[str], page: Page, label: int
) -> RenderableType:
    """Heads side by side, as many as fit; names are cut where all heads fit beside shorter ones."""
    wide, gap = CELL * len(answers), 2
    if SHORT + len(heads) * (wide + 1) - 1 <= page.width < label + len(heads) * (wide + 2) - 2:
        label, gap = min(label, SHORT), 1
    most = max(1, (page.width - label + gap) // (wide + gap))
    per_row = -(-len(heads) // -(-len(heads) // most))
    parts: list[RenderableType] = []
    for start in range(0, len(heads), per_row):
        chosen = heads[start : start + per_row]
        between = " " * gap
        titles = between.join(f"head {h}".center(wide)[:wide] for h in chosen)
        tops = between.join(_tops(answers) for _ in chosen)
        parts += [Text(" " * label + titles.rstrip(), style="bold"), Text(" " * label + tops, style="dim")]
        for t, word in enumerate(asks):
            cells = between.join(_cells(w_HTS[h, t], mask_TS[t]) for h in chosen)
            parts.append(Text(_left(word, label) + cells))
        parts.append(Text(""))
    return shown.over(*parts, Text("In hundredths: each row of a head adds up to 100; a masked cell is blank."))


def _left(word: str, wide: int) -> str:
    """A token to the left, with a blank behind it."""
    kept = word
    while cell_len(kept) > wide - 1:
        kept = kept[:-1]
    return kept + " " * (wide - cell_len(kept))


def _tops(words: list[str]) -> str:
    """Tokens over their cells; the first has a blank before it anyway, and may fill its cell."""
    return _cut(words[0], CELL) + "".join(_cut(word, CELL - 1) for word in words[1:])


def _cut(word: str, most: int) -> str:
    """A token in the width of a cell, to the right, at most so many characters of it."""
    kept = word
    while cell_len(kept) > most:
        kept = kept[:-1]
    return " " * (CELL - cell_len(kept)) + kept


def _cells(w_S: Array, mask_S: Array) -> str:
    return "".join(f"{100 * w:{CELL}.0f}" if seen else " " * CELL for w, seen in zip(w_S, mask_S, strict=True))


def _one_look(
    w_HTS: Array, mask_TS: Array, heads: list[int], asks: list[str], answers: list[str], t: int, page: Page
) -> RenderableType:
    """Of one position, the places that each head looks at most."""
    rows = table("", "looks most at")
    for h in heads:
        most = np.argsort(-w_HTS[h, t], kind="stable")[: MOST - page.narrow]
        told = ", ".join(f"{answers[s]} at {s}: {100 * w_HTS[h, t, s]:.0f} %" for s in most if mask_TS[t, s])
        rows.add_row(f"head {h}", told)
    seen = int(mask_TS[t].sum())
    return shown.over(Text(f"{asks[t]} at {t} may look at {seen} places (`token N`, `head N` choose):"), rows)


def _facts(look: Look, part: Part, row: int) -> list[str]:
    """How much of the residual stream attention changed."""
    x_TD, a_TD, m_TD = (look.trace[f"{part.call}/{name}"][row] for name in (part.before, part.added, part.after))
    return [
        f"Mean length of a vector: {_mean(x_TD)} before, {_mean(a_TD)} added, {_mean(m_TD)} after.",
        "`show q`, `show k`, `show v`, `head N` show more.",
    ]


def _mean(x_TD: Array) -> str:
    return shown.number(float(np.mean(np.linalg.norm(x_TD, axis=-1))))
