"""The screens of texts: stretches to be continued, the next character or byte, bits for each of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from common.config import TextConfig, TrainConfig
from common.data import text
from common.data.batching import Stretches
from common.data.text import TextData
from common.evaluation import Evaluation, percent
from common.types import Array
from console import screens
from console.page import Page, cells, label, lines, table, visible

THINGS = {"char": "character", "byte": "byte"}
TEMPERATURE = 0.8
LINES = 6
"""Lines of a text that are shown with what was said in its place."""


class Guess(NamedTuple):
    """What the model says comes next after some tokens."""

    before: list[int]
    right: int
    candidates: list[tuple[int, float]]
    """The most probable next tokens with their probabilities, best first."""


def letters(ids: Sequence[int], task: TextConfig) -> list[str]:
    """Each token by itself; of bytes, those of ASCII as characters and the others by their number."""
    if task.level == "char":
        return [task.alphabet[i] for i in ids]
    return [chr(i) if i < 128 else f"\\x{i:02x}" for i in ids]


def _quoted(ids: Sequence[int], task: TextConfig, page: Page, most: int = 60) -> str:
    """The beginning of a stretch, on one line; in quotes, since blanks may be all there is."""
    shown = visible(text.decode(list(ids[:most]), task), page.ascii_only)
    return f'"{shown}"' + ("" if len(ids) <= most else " ..." if page.ascii_only else " …")


def dataset(words: str, data: TextData, page: Page) -> RenderableType:
    """What there is to learn: the text, its alphabet, and how it is read."""
    task, thing = data.task, THINGS[data.task.level]
    if task.level == "char":
        told = f"A text of {len(words):,} characters, {task.vocab} different ones, each of them a token:"
        known = [told, label(task.alphabet, page.ascii_only)]
    else:
        known = [f"A text of {len(words.encode()):,} bytes of UTF-8, each of them a token."]
    drawn = (
        f"Training draws {len(data.train.targets):,} stretches of {task.context} {thing}s from its part of the text."
    )
    return Group(
        lines(*known, "", f"{drawn} The first three:", ""),
        *(Text(f"  {_quoted(row.tolist(), task, page)}") for row in data.train.tokens[:3]),
    )


def batch(examples: Stretches, task: TextConfig, train: TrainConfig, page: Page) -> RenderableType:
    """The beginnings of a batch's first rows, as the model will read them, and what it is asked for."""
    few = 4 if page.narrow else 8
    rows = table("is read", "ids", "asked for")
    for ids, targets in zip(examples.tokens[:3, :few].tolist(), examples.targets[:3, :few].tolist(), strict=True):
        rows.add_row(_apart(ids, task, page), " ".join(map(str, ids)), _apart(targets, task, page))
    count = f"{int(examples.weights.sum()):,} answers in an update."
    return Group(
        lines(
            f"An update takes {train.batch_size} stretches: an array of {examples.tokens.shape} token ids. "
            f"The first {few} of some:",
            "",
        ),
        rows,
        lines("", f"Each position is asked for the {THINGS[task.level]} that comes next, and all count: {count}"),
    )


def _apart(ids: list[int], task: TextConfig, page: Page) -> str:
    return " ".join(label(letter, page.ascii_only) for letter in letters(ids, task))


def answer(
    guess: Guess, loss: float, goes_on: Sequence[int], step: int, task: TextConfig, page: Page
) -> RenderableType:
    """What the model says comes next before the next update, the loss of what does, and how it would go on."""
    when = f"After {step:,} updates" if step else "Before training"
    right = _apart([guess.right], task, page)
    return Group(
        lines(f"{when}, after", f"  {_quoted(guess.before, task, page)}", "comes:", ""),
        screens.bars([(_apart([i], task, page), p) for i, p in guess.candidates], page),
        lines(
            "",
            f"Right is {right}, its loss -ln p {loss:.3f} nats; an even guess among {task.vocab} tokens has "
            f"{np.log(task.vocab):.3f}.",
            "Always taking the most probable, the model goes on:",
            f"  {_quoted(goes_on, task, page, len(goes_on))}",
        ),
    )


def one_answer(goes_on: Sequence[int], task: TextConfig, page: Page) -> str:
    """How the model goes on at this moment."""
    return f"goes on: {_quoted(goes_on, task, page, 40)}"


def tested(found: Evaluation, examples: Stretches, task: TextConfig, page: Page) -> RenderableType:
    """The held-out test part: nats and bits for each token beside an even guess, and a piece with what was said."""
    thing = THINGS[task.level]
    rows = table(f"for each {thing}", "nats>", "bits>")
    for name, nats in (("the model", found.loss), ("an even guess", float(np.log(task.vocab)))):
        rows.add_row(name, f"{nats:.4f}", f"{nats / np.log(2):.4f}")
    return Group(
        lines(f"{len(examples.targets):,} stretches never trained on, {int(examples.weights.sum()):,} {thing}s.", ""),
        rows,
        lines(
            "",
            f"The most probable {thing} was the next one {percent(found.accuracy)} of the time.",
            "A piece of the text, and under it what was said instead:",
            "",
        ),
        *_compared(examples.targets[0], found.predictions[0], task, page),
    )


def _compared(right_T: Array, said_T: Array, task: TextConfig, page: Page) -> list[Text]:
    """The two rows one above the other, broken to the width; a dot where they are the same."""
    dot = "." if page.ascii_only else "·"
    upper = cells(letters(right_T.tolist(), task), page.ascii_only)
    lower = cells(letters(said_T.tolist(), task), page.ascii_only).replace(" ", "_" if page.ascii_only else "␣")
    marked = "".join(dot if a == b else c for a, b, c in zip(right_T, said_T, lower, strict=True))
    wide = min(page.width - 6, 74)
    shown = []
    for start in range(0, min(len(upper), LINES * wide), wide):
        piece = slice(start, start + wide)
        shown += [Text(f"text  {upper[piece]}"), Text(f"said  {marked[piece]}", style="dim")]
    return shown


def samples(guesses: Sequence[Guess], drawn: Sequence[int], task: TextConfig, page: Page) -> RenderableType:
    """What comes next after pieces of the test part; and a text that the model draws by itself."""
    rows = table("after", "right", "said", "probability>", "")
    for guess in guesses:
        said, p = guess.candidates[0]
        before = visible(text.decode(guess.before[-16:], task), page.ascii_only)
        names = (_apart([token], task, page) for token in (guess.right, said))
        rows.add_row(before, *names, f"{100 * p:.2f} %", "" if said == guess.right else "wrong")
    told = lines("", f"Drawn at temperature {TEMPERATURE:g} after the first of them:", "")
    return Group(rows, told, Text(f"  {_quoted(drawn, task, page, len(drawn))}"))
