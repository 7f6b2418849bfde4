"""The screens of the digit task alone: expressions, and answers of one token."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common import evaluation
from common.config import TrainConfig
from common.data import digits
from common.data.batching import Examples
from common.data.digits import Digits
from common.evaluation import Evaluation, percent
from common.types import Array
from common.vocabulary import PAD, TOKENS, decode, words
from console.page import Page, lines, table


def dataset(data: Digits, page: Page) -> RenderableType:
    """What there is to learn, and how often each operation is asked in training."""
    task, train = data.task, data.train
    args = str(task.min_args) if task.min_args == task.max_args else f"{task.min_args} to {task.max_args}"
    rows = table("operation", "examples>", "")
    counts = Counter(train.tokens[:, 0].tolist())
    top = max(counts.values())
    for op in task.ops:
        n = counts[TOKENS.index(op)]
        rows.add_row(op, f"{n:,}", page.bar(n / top))
    few = zip(train.tokens[:5], train.targets[:5], strict=True)
    return Group(
        lines(
            f"Expressions of {args} arguments from 0 to {task.max_value}: {digits.size(task):,} distinct ones exist.",
            f"Training draws {len(train.targets):,} examples, {data.train_distinct:,} of them distinct:",
            "",
        ),
        rows,
        lines("", "The first five:", *(f"  {decode(row)}  ->  {TOKENS[target]}" for row, target in few)),
    )


def batch(examples: Examples, train: TrainConfig) -> RenderableType:
    """The first rows of a batch, as the model will read them."""
    rows = table("tokens", "ids", "answer>")
    for ids, mask, target in list(zip(examples.tokens, examples.mask, examples.targets, strict=True))[:5]:
        text = Text()
        for word, real in zip(words(ids.tolist()), mask, strict=True):
            text.append(word + " ", style="" if real else "dim")
        rows.add_row(text, " ".join(str(i) for i in ids), TOKENS[target])
    share = percent(evaluation.padding_share(examples.mask))
    return Group(
        lines(f"An update takes {train.batch_size} examples: an array of {examples.tokens.shape} token ids.", ""),
        rows,
        lines("", f"Padding ({TOKENS[PAD]}) is {share} of this batch; the mask keeps every head from looking at it."),
    )


def top_answers(probabilities_V: Array, target: int, page: Page, n: int = 5) -> Table:
    rows = table("token", "probability>", "")
    for token in np.argsort(-probabilities_V, kind="stable")[:n].tolist():
        p = float(probabilities_V[token])
        rows.add_row(TOKENS[token], f"{100 * p:.2f} %", page.bar(p) + ("  <- right" if token == target else ""))
    return rows


def answer(text: str, target: int, probabilities_V: Array, step: int, page: Page) -> RenderableType:
    """What the model answers before the next update, untrained unless the run is resumed."""
    when = f"After {step:,} updates" if step else "Before training"
    loss = -float(np.log(probabilities_V[target]))
    chance = float(np.log(len(probabilities_V)))
    return Group(
        lines(f"{when}, {text} gives:", ""),
        top_answers(probabilities_V, target, page),
        lines("", f"Loss -ln p({TOKENS[target]}) = {loss:.3f} nats; an even guess among all tokens has {chance:.3f}."),
    )


def one_answer(text: str, probabilities_V: Array) -> str:
    """`Max ( 5 3 9 )  ->  9 (98.2 %)`: what the model says at this moment."""
    token = int(np.argmax(probabilities_V))
    return f"{text}  ->  {TOKENS[token]} ({100 * float(probabilities_V[token]):.1f} %)"


def tested(found: Evaluation, targets_N: Array, page: Page) -> RenderableType:
    """The held-out test part, by operation, and what was taken for what."""
    rows = table("operation", "right>", "")
    for op, share in evaluation.accuracy_table(found.by_op):
        rows.add_row(op, percent(share), page.bar(share))
    rows.add_row("all", percent(found.accuracy), page.bar(found.accuracy))
    n_wrong = round(len(targets_N) * (1 - found.accuracy))
    right = Text("No answer was wrong: the confusion table is diagonal.")
    return Group(
        lines(f"{len(targets_N):,} expressions never trained on; loss {found.loss:.4f} nats.", ""),
        rows,
        Text(""),
        _confusion(found, targets_N) if n_wrong else right,
    )


def _confusion(found: Evaluation, targets_N: Array) -> RenderableType:
    counts = evaluation.confusion(found.predictions, targets_N)
    pairs = [(counts[i, j], i, j) for i in range(10) for j in range(11) if i != j and counts[i, j]]
    pairs.sort(key=lambda entry: (-entry[0], entry[1:]))
    rows = table("right>", "answered>", "times>")
    for n, i, j in pairs[:8]:
        rows.add_row(str(i), "other" if j == 10 else str(j), str(n))
    return Group(Text(f"Taken for another, the {min(8, len(pairs))} most frequent of {len(pairs)}:"), rows)


def samples(texts: Sequence[str], targets: Sequence[int], probabilities_NV: Array, page: Page) -> RenderableType:
    """Single answers."""
    answers = list(zip(texts, targets, probabilities_NV, strict=True))
    if page.narrow:
        return lines(*(one_answer(text, p_V) + _not(target, p_V) for text, target, p_V in answers))
    rows = table("expression", "right>", "answer>", "probability>", "")
    for text, target, p_V in answers:
        token = int(np.argmax(p_V))
        verdict = "" if token == target else "wrong"
        rows.add_row(text, TOKENS[target], TOKENS[token], f"{100 * float(p_V[token]):.2f} %", verdict)
    return rows


def _not(target: int, p_V: Array) -> str:
    return "" if int(np.argmax(p_V)) == target else f", right is {TOKENS[target]}"
