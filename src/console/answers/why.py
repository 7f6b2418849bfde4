"""The screen of `why`: was the question drawn for training, each token hidden in turn, the answer after each block, and
what every head looked at."""

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.types import Array
from console.answers import parts
from console.answers.parts import probability, whole_percent
from console.asking.drawn import Drawn
from console.asking.why import Why, levels
from console.page import label

ROWS = 16
"""Of more tokens than these only those are shown that matter most."""
FEW = 12
HIDDEN = "Hidden is what the model's own mask forbids to look at."
GIVEN = "Each token of the answer is read with those before it given as they were said."
LENS = "The head was trained to read the last block alone: what it reads before that is a hint, no more."


def screen(found: Why, width: int, plain: bool) -> RenderableType:
    """Everything there is to say of why an answer was given."""
    asked, said = ([label(token, plain) for token in tokens] for tokens in (found.again.asked, found.again.said))
    names = _named(asked)
    alone = len(said) == 1
    screens: list[RenderableType] = [] if found.drawn is None else [Text(trained(found.drawn)), Text()]
    screens += [_hidden_one(found, names, said[0], plain)] if alone else _hidden(found, names, said, width)
    inside = found.kind == "attention"  # of an encoder-decoder no token of the question is where the answer is read
    screens += [Text(f"{HIDDEN} {_stays(found, names)}" if inside else HIDDEN, "dim"), Text()]
    screens += [_lens_one(found, said[0], width, plain)] if alone else _lens(found, said, width, plain)
    screens += [Text(LENS, "dim"), Text()]
    screens += _looks_one(found, names, said[0], width) if alone else _looks(found, asked, said, width)
    return Group(*screens)


def _stays(found: Why, names: list[str]) -> str:
    """What hiding cannot take away: where one token was said, the token of the position that said it."""
    which = f", {names[found.again.places[0]].strip()}," if len(found.again.said) == 1 else ""
    return f"The position that is read out{which} still knows its own token."


def trained(known: Drawn) -> str:
    """What is known of a question's place in training, in a sentence.

    Not that it was learned from: a checkpoint from within the first epoch may not have seen all that was drawn.
    """
    if known.part is None:
        return "Never trained on: it is beyond the model's task."
    if known.part != "train":
        return f"Never trained on: it belongs to the {known.part} part."
    if known.times is None:
        return "It belongs to the train part; the file does not say what was drawn from it."
    run = f"the {known.examples:,} examples of the run (seed {known.seed})"
    if not known.times:
        return f"Never trained on: it belongs to the train part, but {run} were drawn without it."
    return f"Drawn for training: it stands {known.times:,} time{'' if known.times == 1 else 's'} among {run}."


def _named(tokens: Sequence[str]) -> list[str]:
    """Tokens with their positions."""
    wide = len(str(len(tokens) - 1))
    return [f"{i:>{wide}} {token}" for i, token in enumerate(tokens)]


def _chosen(weight_S: Array, what: str = "that matter") -> tuple[list[int], list[Text]]:
    """The rows to show, in order, and what to say where some are left out."""
    if len(weight_S) <= ROWS:
        return list(range(len(weight_S))), []
    most = sorted(np.argsort(-weight_S, kind="stable")[:FEW].tolist())
    return most, [Text(f"the {FEW} of {len(weight_S)} tokens {what} most", "dim")]


def _hidden_one(found: Why, names: list[str], said: str, plain: bool) -> Group:
    """Of an answer of one token: its probability with each token hidden, and what is said then."""
    p_R, says_R = found.said[:, 0], found.hidden[:, 0].argmax(axis=-1)
    right = next((token for token in found.again.expected if token != found.again.ids[0]), None)
    named = [] if right is None else [f"p({label(found.again.names[right], plain)})>"]
    lines = parts.table("hidden", f"p({said})>", "change>", *named, "says then")
    chosen, note = _chosen(np.abs(p_R[1:] - p_R[0]))
    for row in [0, *(s + 1 for s in chosen)]:
        change = "" if row == 0 else points(p_R[row] - p_R[0])
        also = [] if right is None else [probability(found.hidden[row, 0, right])]
        then = label(found.again.names[says_R[row]], plain)
        style = "" if says_R[row] == says_R[0] else "bold red"
        name = Text("nothing", "dim") if row == 0 else Text(names[row - 1])
        lines.add_row(name, probability(p_R[row]), change, *also, Text(then, style))
    return Group(Text("each token hidden in turn", "bold"), *note, lines)


def points(change: float) -> str:
    """A change of probability in percentage points."""
    return "0.0" if abs(change) < 0.0005 else f"{100 * change:+.1f}"


def _hidden(found: Why, names: list[str], said: list[str], width: int) -> list[RenderableType]:
    """Of an answer of several tokens: how many points of probability each of them gains or loses."""
    p_RA = found.said
    change_SA = p_RA[1:] - p_RA[0]
    chosen, note = _chosen(np.abs(change_SA).max(axis=1))
    rows = [("nothing", [whole_percent(p) for p in p_RA[0]])]
    rows += [(names[s], [_change(change) for change in change_SA[s]]) for s in chosen]
    head = Text("each token hidden in turn: what each token of the answer gains or loses", "bold")
    told = Text("first its probability in percent, then percentage points; . is less than half a point", "dim")
    return [Text(GIVEN, "dim"), Text(), head, told, *note, *wrapped("hidden", said, rows, width)]


def _change(change: float) -> str:
    return "." if abs(change) < 0.005 else f"{100 * change:+.0f}"


def wrapped(
    corner: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], width: int
) -> list[RenderableType]:
    """A table, cut into several where the terminal is narrow: the first column stands in each."""
    first = max(cell_len(corner), *(cell_len(name) for name, _ in rows)) + 2
    wide = [max([cell_len(name), *(cell_len(cells[j]) for _, cells in rows)]) + 2 for j, name in enumerate(columns)]
    blocks: list[list[int]] = [[]]
    for j in range(len(columns)):
        if blocks[-1] and first + sum(wide[i] for i in blocks[-1]) + wide[j] > width:
            blocks.append([])
        blocks[-1].append(j)
    return [_block(corner, columns, rows, block) for block in blocks]


def _block(
    corner: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], block: Sequence[int]
) -> Table:
    lines = parts.table(corner, *("" for _ in block))
    for column, j in zip(lines.columns[1:], block, strict=True):
        column.header, column.justify, column.no_wrap = Text(columns[j]), "right", True
    for name, cells in rows:
        lines.add_row(Text(name), *(Text(cells[j]) for j in block))
    return lines


def _lens_one(found: Why, said: str, width: int, plain: bool) -> Group:
    lines = parts.table("after", f"p({said})>", "most probable")
    room = width - 11 - 2 - 8 - 2
    for name, p_V in zip(levels(len(found.depths)), found.depths[:, 0], strict=True):
        best = [(label(found.again.names[i], plain), p_V[i]) for i in np.argsort(-p_V, kind="stable")[:3]]
        lines.add_row(name, probability(p_V[found.again.ids[0]]), parts.fitting(best, room))
    return Group(Text("the answer after each block, as the head would read it", "bold"), lines)


def _lens(found: Why, said: list[str], width: int, plain: bool) -> list[RenderableType]:
    def cell(p_V: Array) -> str:
        best = int(np.argmax(p_V))
        return f"{label(found.again.names[best], plain)} {whole_percent(p_V[best])}"

    rows = [
        (name, [cell(p_V) for p_V in p_AV]) for name, p_AV in zip(levels(len(found.depths)), found.depths, strict=True)
    ]
    head = Text("the answer after each block, as the head would read it", "bold")
    told = Text("the most probable token in place of each, with its percentage", "dim")
    return [head, told, *wrapped("after", said, rows, width)]


def _looks_one(found: Why, names: list[str], said: str, width: int) -> list[RenderableType]:
    """Every head's look from the one place that is read out."""
    screens: list[RenderableType] = []
    for i, w_HAS in enumerate(found.looks):
        chosen, note = _chosen(w_HAS[:, 0].max(axis=0), "looked at")
        heads = [f"head {h}" for h in range(len(w_HAS))]
        rows = [(names[s], [whole_percent(share) for share in w_HAS[:, 0, s]]) for s in chosen]
        title = f"block {i}: what the position that says {said} looks at, in percent"
        screens += [Text(title, "bold"), *note, *wrapped("token", heads, rows, width)]
    return screens


def _looks(found: Why, asked: list[str], said: list[str], width: int) -> list[RenderableType]:
    """The strongest look of every head at what was asked, from the place of each token of the answer."""

    def cell(w_S: Array) -> str:
        most = int(np.argmax(w_S))
        return f"{most} {asked[most]} {whole_percent(w_S[most])}"

    rows = [
        (f"block {i} head {h}", [cell(w_S) for w_S in w_AS])
        for i, w_HAS in enumerate(found.looks)
        for h, w_AS in enumerate(w_HAS)
    ]
    head = Text("what each head looks at most among the tokens asked, while each token is said", "bold")
    told = Text("its position, the token, and the share in percent; `:attn BLOCK HEAD` shows all", "dim")
    return [head, told, *wrapped("", said, rows, width)]
