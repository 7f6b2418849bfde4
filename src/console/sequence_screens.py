"""The screens of tasks whose answer is a row of tokens: questions, answers written one token after another."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from common.config import SequenceConfig, TrainConfig
from common.data.batching import Pairs, Texts
from common.evaluation import Evaluation, percent
from common.vocabulary import EOS, PAD, WORDS, decode
from console.page import Page, lines, table

GROUPS = 12
"""At most so many rows of lengths: more are counted together."""


class Question(NamedTuple):
    """A question and its right answer, as token ids."""

    prompt: list[int]
    reply: list[int]
    """The end token last."""

    @property
    def text(self) -> str:
        return f"{decode(self.prompt)}  ->  {decode(self.reply[:-1])}"


class Written(NamedTuple):
    """An answer as the model wrote it, always the most probable token."""

    tokens: list[int]
    """The end token last, if it came."""
    candidates: list[list[tuple[int, float]]]
    """The most probable tokens of each step with their probabilities; the first of them was taken."""

    @property
    def text(self) -> str:
        return decode(token for token in self.tokens if token != EOS) or "nothing"

    @property
    def probability(self) -> float:
        """Of the whole answer."""
        return float(np.prod([step[0][1] for step in self.candidates]))


def about(task: SequenceConfig) -> str:
    """The task in a sentence."""
    args = str(task.min_args) if task.min_args == task.max_args else f"{task.min_args} to {task.max_args}"
    rows = f"Rows of {task.min_length} to {task.max_length} digits"
    return {
        "operations": f"Expressions of {args} arguments from 0 to {task.max_value}, answered digit by digit.",
        "copy": f"{rows}, to be written once more.",
        "reverse": f"{rows}, to be written from the last to the first.",
        "sort": f"{rows}, to be written in order.",
        "add": f"Sums of two numbers of up to {task.max_digits} digits, answered digit by digit.",
    }[task.task]


def dataset(
    task: SequenceConfig, drawn: tuple[int, int], counts: Mapping[str, int], first: Sequence[Question], page: Page
) -> RenderableType:
    """What there is to learn: how many were drawn and how many of them distinct, how many of each kind, and a few."""
    kind = "operation" if task.task == "operations" else "answer of"
    rows = table(kind, "examples>", "")
    for name, n in counts.items():
        rows.add_row(name, f"{n:,}", page.bar(n / max(counts.values())))
    told = f"Training draws {drawn[0]:,} examples, {drawn[1]:,} of them distinct:"
    return Group(
        lines(about(task), told, ""), rows, lines("", "The first five:", *(f"  {question.text}" for question in first))
    )


def lengths(shown: Sequence[int]) -> dict[str, list[int]]:
    """Lengths in groups of one or, where there are many, of several: `5 tokens` or `5-8 tokens`, and which they are."""
    most, fewest = max(shown), min(shown)
    wide = -(-(most - fewest + 1) // GROUPS)
    groups = {}
    for low in range(fewest, most + 1, wide):
        high = min(low + wide - 1, most)
        name = f"{low}" if low == high else f"{low}-{high}"
        groups[f"{name} token{'' if high == 1 else 's'}"] = list(range(low, high + 1))
    return groups


def batch(examples: Texts | Pairs, train: TrainConfig) -> RenderableType:
    """The first rows of a batch, as the model will read them, and what it is asked for."""
    sources = examples.src if isinstance(examples, Pairs) else None
    rows = table(*([] if sources is None else ["question"]), "is read", "asked for")
    for i in range(min(4, len(examples.tokens))):
        asked = " ".join(WORDS[token] for token in examples.targets[i][examples.weights[i]])
        question = [] if sources is None else [_faint(sources[i].tolist())]
        rows.add_row(*question, _faint(examples.tokens[i].tolist()), asked)
    counted, positions = int(examples.weights.sum()), examples.weights.size
    padding = percent(float(np.mean((examples.tokens if sources is None else sources) == PAD)))
    unseen = f"of the batch is padding ({WORDS[PAD]}): no position looks ahead, so none before it sees it."
    masked = f"of the questions is padding ({WORDS[PAD]}); the mask keeps every head from looking at it."
    return Group(
        lines(f"An update takes {train.batch_size} examples: an array of {examples.tokens.shape} token ids.", ""),
        rows,
        lines(
            "",
            "Each position is asked for the token that comes next.",
            f"{counted:,} of {positions:,} count: the answers and their ends.",
            f"{padding} {unseen if sources is None else masked}",
        ),
    )


def _faint(ids: list[int]) -> Text:
    """Tokens; what fills the row up is counted and faint."""
    filled = sum(token == PAD for token in ids)
    text = Text(decode(ids))
    return text.append(f" {WORDS[PAD]} x {filled}", style="dim") if filled else text


def answer(question: Question, written: Written, losses: Sequence[float], step: int, page: Page) -> RenderableType:
    """What the model writes before the next update, token by token, and the loss of each token of the right answer."""
    when = f"After {step:,} updates" if step else "Before training"
    rows = table("writes", "probability>", "", "else")
    for token, best in zip(written.tokens, written.candidates, strict=True):
        others = ", ".join(f"{WORDS[i]} {100 * p:.1f} %" for i, p in best[1 : 2 if page.narrow else None])
        rows.add_row(WORDS[token], f"{100 * best[0][1]:.2f} %", "" if page.narrow else page.bar(best[0][1]), others)
    each = ", ".join(f"{WORDS[i]} {loss:.2f}" for i, loss in zip(question.reply, losses, strict=True))
    return Group(
        lines(f"{when}, {decode(question.prompt)} is answered, always by the most probable token:", ""),
        rows,
        lines(
            "",
            f"Right is {decode(question.reply)}, and its loss -ln p, in nats: {each}.",
            f"Their mean is {np.mean(losses):.3f}; an even guess among all tokens has {np.log(len(WORDS)):.3f}.",
        ),
    )


def one_answer(question: Question, written: Written) -> str:
    """What the model answers at this moment, and with which probability."""
    return f"{decode(question.prompt)}  ->  {written.text} ({100 * written.probability:.1f} %)"


def tested(
    found: Evaluation, n: int, shares: dict[str, float], wrong: Sequence[tuple[Question, Written]], page: Page
) -> RenderableType:
    """The held-out test part: the share of right answers by kind, and some of the wrong ones."""
    rows = table("", "right>", "")
    for name, share in (shares | {"all": found.accuracy}).items():
        rows.add_row(name, percent(share), page.bar(share))
    n_wrong = round(n * (1 - found.accuracy))
    told = ["No answer was wrong."]
    if n_wrong:
        many = "all" if len(wrong) == n_wrong else f"the first {len(wrong)}"
        told = [f"{n_wrong:,} of {n:,} answers were wrong; {many} of them:"]
        told += [f"  {_verdict(*one)}" for one in wrong]
    return Group(
        lines(f"{n:,} questions never trained on; an answer is right if all of its tokens are.", ""),
        rows,
        lines("", f"Loss {found.loss:.4f} nats a token.", "", *told),
    )


def samples(answers: Sequence[tuple[Question, Written]], page: Page) -> RenderableType:
    """Single answers."""
    if page.narrow:
        return lines(*(f"{_verdict(*one)} {100 * one[1].probability:.1f} %" for one in answers))
    rows = table("question", "right>", "answer>", "probability>", "")
    for question, written in answers:
        right = decode(question.reply[:-1])
        verdict = "" if written.tokens == question.reply else "wrong"
        rows.add_row(decode(question.prompt), right, written.text, f"{100 * written.probability:.2f} %", verdict)
    return rows


def _verdict(question: Question, written: Written) -> str:
    return question.text if written.tokens == question.reply else f"{question.text}, not {written.text}"
