"""Screens of the query program: functions from answers to something rich can print, from 40 columns on."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common import evaluation, tree
from common.checkpoint import Model
from common.config import DigitsConfig
from common.data.digits import Expression, Part
from common.data.parsing import ParseError, example
from common.evaluation import Evaluation, percent
from common.types import Array
from common.vocabulary import TOKENS, words
from console import draw
from console.asking import Answer
from console.backend import Twin

WIDE = 80
"""From this width on, the two lists of an answer stand side by side."""
LONGEST_BAR = 32
PARTS: dict[Part, str] = {
    "train": "train: may have been trained on",
    "validation": "validation: never trained on",
    "test": "test: never trained on",
}
MEANING = {
    "First": "the first argument",
    "Second": "the second argument",
    "Last": "the last argument",
    "Max": "the largest argument",
    "Min": "the smallest argument",
}
MENU = {
    "batch": "14 cases, from easy to extreme",
    "quick": "5 random expressions",
    "all": "every expression, counted",
    "ops": "what the operations mean",
    "help": "this list",
    ":quit": "leave; so does Ctrl-D",
}


def probability(p: float) -> str:
    """A percentage that says 100 or 0 only where it is meant: 99.999 % is `>99.99 %`."""
    if 0.9999 < p < 1:
        return ">99.99 %"
    return "<0.01 %" if 0 < p < 0.0001 else f"{100 * p:.2f} %"


def _verdict(right: bool) -> Text:
    return Text("right", "green") if right else Text("wrong", "bold red")


def _table(*columns: str, header: bool = True) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_header=header)
    for column in columns:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    return table


def _bars(head: str, rows: Sequence[tuple[str, float]], width: int, plain: bool) -> Group:
    """A heading, then a line for each row: label, bar, percentage."""
    label = max(len(name) for name, _ in rows)
    room = min(LONGEST_BAR, width - label - 10)
    lines = [Text(head, "dim")]
    for name, share in rows:
        text = Text(f"{name:<{label}} ", no_wrap=True)
        text.append(draw.bar(share, room, plain), "cyan").append(f" {probability(share):>8}")
        lines.append(text)
    return Group(*lines)


def _tokens(expression: Expression, width: int) -> list[tuple[str, str]]:
    """The canonical tokens and their ids, one above the other, in as many pairs of lines as they need."""
    lines = [("", "")]
    for word, number in zip(words(expression.tokens), map(str, expression.tokens), strict=True):
        wide = max(len(word), len(number))
        if lines[-1][0] and len(lines[-1][0]) + 1 + wide > width:
            lines.append(("", ""))
        gap = " " if lines[-1][0] else ""
        lines[-1] = (lines[-1][0] + gap + word.rjust(wide), lines[-1][1] + gap + number.rjust(wide))
    return lines


def answer(found: Answer, width: int, plain: bool) -> RenderableType:
    """Everything there is to say of one answer."""
    facts = _table("", "", header=False)
    for upper, lower in _tokens(found.expression, width - 9):
        facts.add_row(Text("tokens", "dim"), Text(upper, no_wrap=True))
        facts.add_row(Text("ids", "dim"), Text(lower, "dim", no_wrap=True))
    facts.add_row(Text("answer", "dim"), Text(f"{found.answer}  ({probability(found.top[0][1])})"))
    facts.add_row(Text("right", "dim"), Text(found.expected))
    facts.add_row(Text("verdict", "dim"), _verdict(found.right))
    facts.add_row(Text("part", "dim"), Text(PARTS[found.part]))
    half = (width - 2) // 2 if width >= WIDE else width
    likely = _bars(f"the {len(found.top)} most probable tokens", found.top, half, plain)
    looked = _looked(found, half, plain)
    lists: RenderableType = Group(likely, looked)
    if width >= WIDE:
        sides = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        sides.add_column(width=half)
        sides.add_column(width=half)
        sides.add_row(likely, looked)
        lists = sides
    return Group(Text(found.expression.text, "bold"), facts, lists)


def _looked(found: Answer, width: int, plain: bool) -> Group:
    labels = words(found.expression.tokens)
    digits = len(str(len(labels) - 1))
    places = [f"{i:>{digits}} {label}" for i, label in enumerate(labels)]
    look, most = found.strongest, probability(found.strongest.share)
    return Group(
        _bars("what the answer position looked at", list(zip(places, found.looked, strict=True)), width, plain),
        Text(f"mean of the heads of block {found.block}", "dim"),
        Text(
            f"head {look.head} most: {most} on {labels[look.position]}, position {look.position}",
            "dim",
        ),
    )


def table(groups: Iterable[tuple[str, Sequence[Answer]]], width: int) -> RenderableType:
    """Many answers, one a line, under the names of their groups; as many columns as there is room for."""
    columns = ["expression", "says>", "right>" if width >= 60 else "", "p>", "verdict"]
    columns += ["part", "looked at most>"] if width >= WIDE else []
    columns += ["next best"] if width >= 110 else []
    lines = _table(*filter(None, columns))
    n, n_right = 0, 0
    for name, answers in groups:
        if name:
            lines.add_row(Text(name, "bold"))
        for found in answers:
            lines.add_row(*_row(found, width))
            n, n_right = n + 1, n_right + found.right
    return Group(lines, Text(f"{n_right} of {n} right", "green" if n == n_right else "bold red"))


def _row(found: Answer, width: int) -> list[Text | str]:
    says = Text(found.answer, "bold" if found.right else "bold red")
    p, verdict = probability(found.top[0][1]), _verdict(found.right)
    if width < 60:
        return [found.expression.text, says, p, verdict if found.right else Text(f"not {found.expected}", "red")]
    row: list[Text | str] = [found.expression.text, says, found.expected, p, verdict]
    if width >= WIDE:
        share, place = max((share, -i) for i, share in enumerate(found.looked))
        row += [found.part, f"{words(found.expression.tokens)[-place]} {100 * share:.0f} %"]
    if width >= 110:
        row.append(", ".join(f"{token} {probability(p)}" for token, p in found.top[1:4]))
    return row


def tally(
    expressions: Sequence[Expression],
    parts: Sequence[Part],
    found: Evaluation,
    targets_N: Array,
    *,
    width: int,
    plain: bool,
) -> RenderableType:
    """The count of a whole task: accuracy by part and by operation, the confusion table, the first wrong answers."""
    right_N = (found.predictions == targets_N).tolist()
    by_part: dict[str, list[bool]] = {part: [] for part in PARTS}
    by_op: dict[str, list[bool]] = {}
    for expression, part, right in zip(expressions, parts, right_N, strict=True):
        by_part[part].append(right)
        by_op.setdefault(expression.op, []).append(right)
    n, n_right = len(right_N), sum(right_N)
    wrong = [
        f"{expression.text}  ->  {TOKENS[token]}, right is {expression.answer}"
        for expression, token, right in zip(expressions, found.predictions.tolist(), right_N, strict=True)
        if not right
    ]
    screen: list[RenderableType] = [
        Text(f"{n_right:,} of {n:,} right, {percent(n_right / n)}; mean loss {found.loss:.4f} nats", "bold"),
        Text(),
        _shares("part of the split", {name: rights for name, rights in by_part.items() if rights}, width, plain),
        Text(),
        _shares("operation", by_op, width, plain),
        Text(),
        confusion(evaluation.confusion(found.predictions, targets_N), width),
    ]
    if wrong:
        more = f", the first 20 of {len(wrong):,}" if len(wrong) > 20 else ""
        screen += [Text(), Text(f"wrong answers{more}", "dim"), *(Text(line) for line in wrong[:20])]
    return Group(*screen)


def _shares(name: str, counts: dict[str, list[bool]], width: int, plain: bool) -> Table:
    columns = [name, "right>", "asked>", "share>"] + ([""] if width >= WIDE else [])
    lines = _table(*columns)
    for key, rights in counts.items():
        share = sum(rights) / len(rights)
        bar = [Text(draw.bar(share, 20, plain), "cyan")] if width >= WIDE else []
        lines.add_row(key, f"{sum(rights):,}", f"{len(rights):,}", percent(share), *bar)
    return lines


def confusion(counts: Array, width: int) -> RenderableType:
    """Right digits down, answers across; split into several tables where the terminal is narrow."""
    names = [*map(str, range(10)), "other"]
    wanted = [j for j in range(11) if j < 10 or counts[:, j].any()]
    cell = max(len(str(counts.max())), 1)
    room = [max(cell, len(names[j])) + 2 for j in wanted]
    blocks: list[list[int]] = [[]]
    used = 7
    for j, wide in zip(wanted, room, strict=True):
        if blocks[-1] and used + wide > width:
            blocks.append([])
            used = 7
        blocks[-1].append(j)
        used += wide
    parts: list[RenderableType] = [Text("confusion: right digit down, answer across", "dim")]
    for block in blocks:
        lines = _table("right>", *(f"{names[j]}>" for j in block))
        for i in range(10):
            if counts[i].any():
                lines.add_row(str(i), *(_count(counts[i, j], i == j) for j in block))
        parts.append(lines)
    return Group(*parts)


def _count(n: int, diagonal: bool) -> Text:
    return Text(str(n), "green" if diagonal else "bold red") if n else Text(".", "dim")


def operations(task: DigitsConfig) -> Table:
    lines = _table("operation", "answers")
    for op in task.ops:
        lines.add_row(op, MEANING[op])
    return lines


def args_of(task: DigitsConfig) -> str:
    counts = f"{task.min_args}" if task.min_args == task.max_args else f"{task.min_args} to {task.max_args}"
    return f"{counts} digit{'' if counts == '1' else 's'} 0-{task.max_value}"


def menu(task: DigitsConfig) -> Table:
    """What can be typed."""
    lines = _table("", "", header=False)
    lines.add_row(Text(example(task), "bold"), f"{', '.join(task.ops)} of {args_of(task)}")
    for command, meaning in MENU.items():
        lines.add_row(Text(command, "bold"), meaning)
    return lines


def model(name: str, asked: Model, twin: Twin) -> Text:
    """One line that says who answers."""
    return Text(f"{name}: {asked.family}, {tree.count(asked.params):,} parameters, {twin.name} on {twin.device}")


def trouble(text: str, error: ParseError, *, where: str, width: int, plain: bool, echo: bool) -> Text:
    """What was typed, a caret under the place where it goes wrong, and the sentence."""
    sentence = printable(f"{where}: {error}" if where else str(error), plain)
    if not text.strip():
        return Text(sentence, "red")
    safe, before = _window(text, error.column, width - 4, plain)
    caret = " " * (2 + cell_len(before)) + "^"
    return Text(f"  {safe}\n{caret}\n" if echo else f"{caret}\n").append(sentence, "red")


def printable(text: str, plain: bool) -> str:
    """A text that can harm no terminal: `?` for controls, broken bytes and, in plain ASCII, for all that is not."""
    return "".join(c if c.isprintable() and (c.isascii() or not plain) else " " if c == "\t" else "?" for c in text)


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
