"""Screens of the digit task: an answer with what it looked at, many answers, the count of all with its confusions."""

from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common import evaluation
from common.data.digits import Expression
from common.data.parsing import example
from common.evaluation import Evaluation, percent
from common.types import Array
from common.vocabulary import TOKENS, words
from console.answers import parts
from console.answers.parts import PARTS, WIDE, bars, probability, shares, verdict
from console.asking import digits as asked
from console.asking.digits import Answer, DigitsAsker


def answer(found: Answer, width: int, plain: bool) -> RenderableType:
    """Everything there is to say of one answer."""
    facts = parts.table("", "", header=False)
    tokens = found.expression.tokens
    for upper, lower in parts.numbered(words(tokens), tokens, width - 9):
        facts.add_row(Text("tokens", "dim"), Text(upper, no_wrap=True))
        facts.add_row(Text("ids", "dim"), Text(lower, "dim", no_wrap=True))
    facts.add_row(Text("answer", "dim"), Text(f"{found.answer}  ({probability(found.top[0][1])})"))
    facts.add_row(Text("right", "dim"), Text(found.expected))
    facts.add_row(Text("verdict", "dim"), verdict(found.right))
    facts.add_row(Text("part", "dim"), Text(PARTS[found.part]))
    half = (width - 2) // 2 if width >= WIDE else width
    likely = bars(f"the {len(found.top)} most probable tokens", found.top, half, plain)
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
    strongest = f"head {look.head} most: {most} on {labels[look.position]}, position {look.position}"
    return Group(
        bars("what the answer position looked at", list(zip(places, found.looked, strict=True)), width, plain),
        Text(f"mean of the heads of block {found.block}", "dim"),
        Text("every head everywhere alike" if _alike(look.share, labels) else strongest, "dim"),
    )


def _alike(most: float, labels: Sequence[str]) -> bool:
    """Whether a look whose largest share is `most` is the same everywhere, to what is shown of it."""
    return most - 1 / len(labels) < 5e-5


def table(groups: Iterable[tuple[str, Sequence[Answer]]], width: int) -> RenderableType:
    """Many answers, one a line, under the names of their groups; as many columns as there is room for."""
    columns = ["expression", "says>", "right>" if width >= 60 else "", "p>", "verdict"]
    columns += ["part", "looked at most>"] if width >= WIDE else []
    columns += ["next best"] if width >= 110 else []
    lines = parts.table(*filter(None, columns))
    n, n_right = 0, 0
    for name, answers in groups:
        if name:
            lines.add_row(Text(name, "bold"))
        for found in answers:
            lines.add_row(*_row(found, width))
            n, n_right = n + 1, n_right + found.right
    return Group(lines, parts.counted(n_right, n))


def _row(found: Answer, width: int) -> list[Text | str]:
    says = Text(found.answer, "bold" if found.right else "bold red")
    p = probability(found.top[0][1])
    if width < 60:
        short = verdict(True) if found.right else Text(f"not {found.expected}", "red")
        return [found.expression.text, says, p, short]
    row: list[Text | str] = [found.expression.text, says, found.expected, p, verdict(found.right)]
    if width >= WIDE:
        share, place = max((share, -i) for i, share in enumerate(found.looked))
        labels = words(found.expression.tokens)
        looked = "all alike" if _alike(share, labels) else f"{labels[-place]} {100 * share:.0f} %"
        row += [found.part or "none", looked]
    if width >= 110:
        row.append(", ".join(f"{token} {probability(p)}" for token, p in found.top[1:4]))
    return row


def tally(
    asker: DigitsAsker, expressions: Sequence[Expression], found: Evaluation, width: int, plain: bool
) -> RenderableType:
    """The count of a whole task: accuracy by part and by operation, the confusion table, the first wrong answers."""
    targets_N = np.array([e.target for e in expressions])
    right_N = (found.predictions == targets_N).tolist()
    by_part: dict[str, list[bool]] = {part: [] for part in PARTS if part}
    by_op: dict[str, list[bool]] = {}
    for expression, right in zip(expressions, right_N, strict=True):
        by_part[asked.part(expression, asker.model.task) or "none"].append(right)
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
        shares("part of the split", {name: rights for name, rights in by_part.items() if rights}, width, plain),
        Text(),
        shares("operation", by_op, width, plain),
        Text(),
        confusion(evaluation.confusion(found.predictions, targets_N), width),
    ]
    return Group(*screen, *parts.mistakes(wrong))


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
    tables: list[RenderableType] = [Text("confusion: right digit down, answer across", "dim")]
    for block in blocks:
        lines = parts.table("right>", *(f"{names[j]}>" for j in block))
        for i in range(10):
            if counts[i].any():
                lines.add_row(str(i), *(_count(counts[i, j], i == j) for j in block))
        tables.append(lines)
    return Group(*tables)


def _count(n: int, diagonal: bool) -> Text:
    return Text(str(n), "green" if diagonal else "bold red") if n else Text(".", "dim")


def operations(asker: DigitsAsker) -> Table:
    return parts.operations(asker.model.task.ops)


def about(asker: DigitsAsker) -> str:
    """What the task is, in a few words."""
    task = asker.model.task
    counts = f"{task.min_args}" if task.min_args == task.max_args else f"{task.min_args} to {task.max_args}"
    return f"{', '.join(task.ops)} of {counts} digit{'' if counts == '1' else 's'} 0-{task.max_value}"


def menu(asker: DigitsAsker) -> Table:
    return parts.menu(example(asker.model.task), about(asker))
