"""The screens that every run has. Each is a function from what was measured to something rich can print."""

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common import evaluation, schedule, tree
from common.config import TrainConfig
from common.evaluation import percent
from common.run import Best, History
from common.types import Array, Tree
from console import draw
from console.page import Page, lines, table

MOST = 3
"""So many places of a look are named where not all fit."""


def split(sizes: tuple[int, int, int], things: str, decided: str, proof: str) -> RenderableType:
    """How many `things` each part has, by what its part is `decided`, and the `proof` that the parts are apart."""
    rows = table("part", f"{things}>", "used for")
    uses = ("updates", "choosing the best epoch", "the final figure, once")
    for part, n, use in zip(("train", "validation", "test"), sizes, uses, strict=True):
        rows.add_row(part, f"{n:,}", use)
    rule = f"A hash of the {decided} decides its part (80/10/10), so a part never depends on the run."
    return Group(rows, lines("", rule, proof))


def architecture(params: Tree, flow: Sequence[str], page: Page) -> RenderableType:
    """How the model computes, in the lines of `flow`, and every parameter tensor."""
    spread = [] if page.narrow else ["spread>"]
    rows = table("tensor", "shape", "numbers>", *spread)
    for name, leaf in tree.items(params):
        known = [f"{float(np.std(leaf)):.3f}"] if spread else []
        rows.add_row(name, " x ".join(map(str, leaf.shape)), f"{leaf.size:,}", *known)
    rows.add_row("all", "", f"{tree.count(params):,}")
    return Group(lines(*flow, ""), rows)


def setup(train: TrainConfig, backend: str, page: Page) -> RenderableType:
    """How it will be trained."""
    rates = [
        schedule.learning_rate(s, steps=train.steps, lr=train.lr, schedule=train.schedule, warmup=train.warmup)
        for s in range(0, train.steps, max(1, train.steps // 200))
    ]
    rows = {
        "backend": backend,
        "passes in": train.dtype,
        "optimizer": train.optimizer,
        "learning rate": f"{train.lr:g}, {train.warmup} updates of warm-up, then {train.schedule}",
        "": draw.curve(rates, min(32, page.width - 16), page.ascii_only),
        "weight decay": f"{train.weight_decay:g}",
        "clip norm": f"{train.clip_norm:g}" if train.clip_norm else "none",
        "examples": f"{train.examples:,}",
        "batch size": str(train.batch_size),
        "epochs": f"{train.epochs} of {train.steps_per_epoch:,} updates, {train.steps:,} in all",
        "seed": str(train.seed),
    }
    facts = Table(box=None, pad_edge=False, show_header=False)
    for name, value in rows.items():
        facts.add_row(Text(name, style="dim"), Text(value))
    return facts


def epoch_head(page: Page) -> str:
    """What stands above the rows of epochs."""
    if page.narrow:
        return "* best          train      validation\nepoch    loss   right    loss   right"
    return "epoch      train: loss  right    validation: loss  right"


def epoch_line(record: dict, epochs: int, is_best: bool, page: Page) -> str:
    """A row under `epoch_head`."""
    figures = (record["train_loss"], percent(record["train_accuracy"]), record["loss"], percent(record["accuracy"]))
    number = f"{record['epoch']:>{len(str(epochs))}}/{epochs}"
    if page.narrow:
        return "{:<5} {:>7.4f} {:>7} {:>7.4f} {:>7}".format(number, *figures) + ("*" if is_best else "")
    row = "{:<11}{:>11.4f} {:>7}{:>18.4f} {:>8}".format(f"epoch {number}", *figures)
    return row + ("  best" if is_best else "")


def trained(history: History, best: Best, page: Page, ahead: float = 0.1) -> RenderableType:
    """What training did, in three lines and a warning if it overfits: if its accuracy is `ahead` of validation's."""
    warning = evaluation.overfitting(history, ahead)
    right, width = history.accuracy, min(40, page.width - 23)
    return lines(
        f"loss      {history.loss[0]:.3f} {draw.curve(history.loss, width, page.ascii_only)} {history.loss[-1]:.4f}",
        f"accuracy  {right[0]:.3f} {draw.curve(right, width, page.ascii_only)} {right[-1]:.4f}",
        f"best epoch {best.epoch} (update {best.step:,}): {percent(best.accuracy)} on validation",
        *([f"warning: {warning}"] if warning else []),
    )


def bars(rows: Sequence[tuple[str, float]], page: Page) -> Table:
    """Labels with their probabilities."""
    shown = table("token", "probability>", "")
    for name, p in rows:
        shown.add_row(name, f"{100 * p:.2f} %", page.bar(p))
    return shown


def attention(intro: str, labels: Sequence[str], looks: Sequence[Array], page: Page) -> RenderableType:
    """What one position looks at, in each block and head: for each block an array (heads, S), S the `labels`.

    All shares where they fit, the largest of each head where they do not.
    """
    parts: list[RenderableType] = [Text(intro)]
    for i, w_HS in enumerate(looks):
        whole = _all_shares(i, labels, w_HS)
        fits = sum(max(cell_len(name), 5) + 1 for name in labels) + 20 <= page.width
        parts += [Text(""), whole if fits else _largest_shares(i, labels, w_HS, page)]
    return Group(*parts)


def _all_shares(block: int, labels: Sequence[str], w_HS: Array) -> Table:
    rows = table(f"block {block}", *(f"{label}>" for label in labels), "pattern")
    for head, w_S in enumerate(w_HS):
        rows.add_row(f"head {head}", *(f"{100 * float(w):.0f} %" for w in w_S), evaluation.attention_pattern(w_S[None]))
    return rows


def _largest_shares(block: int, labels: Sequence[str], w_HS: Array, page: Page) -> Table:
    rows = table(f"block {block}", "looks most at", *([] if page.narrow else ["pattern"]))
    for head, w_S in enumerate(w_HS):
        most = np.argsort(-w_S, kind="stable")[: MOST - page.narrow].tolist()
        named = ", ".join(f"{labels[i]} at {i}: {100 * float(w_S[i]):.0f} %" for i in most)
        rows.add_row(f"head {head}", named, *([] if page.narrow else [evaluation.attention_pattern(w_S[None])]))
    return rows
