"""What the screens of all kinds of tasks are made of."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from common import tree
from common.checkpoint import Model
from common.data.split import Part
from common.evaluation import percent
from console import draw
from console.backend import Twin

WIDE = 80
"""From this width on there is room for a second thing beside the first."""
LONGEST_BAR = 32
PARTS: dict[Part | None, str] = {
    "train": "train: may have been trained on",
    "validation": "validation: never trained on",
    "test": "test: never trained on",
    None: "none: beyond what was trained on",
}
MEANING = {
    "First": "the first argument",
    "Second": "the second argument",
    "Last": "the last argument",
    "Max": "the largest argument",
    "Min": "the smallest argument",
    "Copy": "the same digits",
    "Reverse": "the digits, the last first",
    "Sort": "the digits, the smallest first",
    "+": "the sum of both numbers",
}
MENU = {
    "why": "why the last answer was given; why QUESTION asks first",
    ":attn L H": "what head H of block L looked at",
    "batch": "14 cases, from easy to extreme",
    "quick": "5 random questions",
    "all": "every question, counted",
    "ops": "what the operations mean",
    ":top K": "how many probable tokens to show",
    ":backend NAME": "numpy, jax, or both and how far they are apart",
    ":model FILE": "ask another model",
    "help": "this list",
    ":quit": "leave; so does Ctrl-D",
}


def probability(p: float) -> str:
    """A percentage that says 100 or 0 only where it is meant: 99.999 % is `>99.99 %`."""
    if 0.9999 < p < 1:
        return ">99.99 %"
    return "<0.01 %" if 0 < p < 0.0001 else f"{100 * p:.2f} %"


def whole_percent(p: float) -> str:
    """The same without decimals or sign, for tables: 99.6 % is `>99`, 0.4 % is `<1`."""
    told = f"{100 * p:.0f}"
    return ">99" if told == "100" and p < 1 else "<1" if told == "0" and p > 0 else told


def verdict(right: bool) -> Text:
    return Text("right", "green") if right else Text("wrong", "bold red")


def table(*columns: str, header: bool = True) -> Table:
    """A table without lines; a column whose name ends in `>` stands at the right."""
    lines = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_header=header)
    for column in columns:
        lines.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    return lines


def bars(head: str, rows: Sequence[tuple[str, float]], width: int, plain: bool) -> Group:
    """A heading, then a line for each row: label, bar, percentage."""
    label = max(cell_len(name) for name, _ in rows)
    room = min(LONGEST_BAR, width - label - 10)
    lines = [Text(head, "dim")]
    for name, share in rows:
        text = Text(name + " " * (label - cell_len(name) + 1), no_wrap=True)
        text.append(draw.bar(share, room, plain), "cyan").append(f" {probability(share):>8}")
        lines.append(text)
    return Group(*lines)


def numbered(labels: Sequence[str], ids: Sequence[int], width: int) -> list[tuple[str, str]]:
    """Tokens and their ids, one above the other, in as many pairs of lines as they need."""
    lines = [("", "")]
    for word, number in zip(labels, map(str, ids), strict=True):
        wide = max(cell_len(word), len(number))
        if lines[-1][0] and cell_len(lines[-1][0]) + 1 + wide > width:
            lines.append(("", ""))
        gap = " " if lines[-1][0] else ""
        upper = gap + " " * (wide - cell_len(word)) + word
        lines[-1] = (lines[-1][0] + upper, lines[-1][1] + gap + number.rjust(wide))
    return lines


def written(tokens: Sequence[tuple[str, float, Sequence[tuple[str, float]]]], width: int, plain: bool) -> Table:
    """Token by token: each as it was chosen, its probability, and the next best in its place, as many as fit."""
    bar = width >= WIDE
    label = max(5, *(cell_len(name) for name, _, _ in tokens))
    room = width - label - 2 - 8 - 2 - (14 if bar else 0)
    less = any(fitting(others, room) != fitting(others, 10**6) for _, _, others in tokens)
    lines = table("token", *([""] if bar else []), "p>", "next best" + (", as many as fit" if less else ""))
    for name, p, others in tokens:
        cells = [Text(draw.bar(p, 12, plain), "cyan")] if bar else []
        lines.add_row(Text(name), *cells, probability(p), Text(fitting(others, room), "dim"))
    return lines


def fitting(others: Sequence[tuple[str, float]], room: int) -> str:
    shown = ""
    for name, p in others:
        # no comma between them: it may itself be a token
        longer = f"{shown}  {name} {probability(p)}" if shown else f"{name} {probability(p)}"
        if cell_len(longer) > room:
            break
        shown = longer
    return shown


def shares(name: str, counts: dict[str, list[bool]], width: int, plain: bool) -> Table:
    """How many of each group were answered rightly."""
    lines = table(*[name, "right>", "asked>", "share>"], *([""] if width >= WIDE else []))
    for key, rights in counts.items():
        share = sum(rights) / len(rights)
        bar = [Text(draw.bar(share, 20, plain), "cyan")] if width >= WIDE else []
        lines.add_row(key, f"{sum(rights):,}", f"{len(rights):,}", percent(share), *bar)
    return lines


def counted(n_right: int, n: int) -> Text:
    return Text(f"{n_right} of {n} right", "green" if n == n_right else "bold red")


def mistakes(wrong: Sequence[str]) -> list[Text]:
    """The first twenty wrong answers, below the rest of a screen."""
    if not wrong:
        return []
    more = f", the first 20 of {len(wrong):,}" if len(wrong) > 20 else ""
    return [Text(), Text(f"wrong answers{more}", "dim"), *(Text(line) for line in wrong[:20])]


def operations(ops: Sequence[str]) -> Table:
    lines = table("operation", "answers")
    for op in ops:
        lines.add_row(op, MEANING[op])
    return lines


def menu(example: str, meaning: str) -> Table:
    """What can be typed."""
    lines = table("", "", header=False)
    lines.add_row(Text(example, "bold"), meaning)
    for command, what in MENU.items():
        lines.add_row(Text(command, "bold"), what)
    return lines


def model(name: str, asked: Model, twin: Twin) -> Text:
    """One line that says who answers."""
    return Text(f"{name}: {asked.family}, {tree.count(asked.params):,} parameters, {twin.name} on {twin.device}")
