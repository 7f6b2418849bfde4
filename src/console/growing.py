"""Prompts and what a model adds to them, token by token: one batch for all that have the same room, or one by one."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from common import random
from common.checkpoint import Model
from common.config import Seq2SeqConfig, TextConfig
from common.data import reading
from common.data.pieces import ParseError, Untrained
from common.errors import UserError
from common.sampling import Sampling, Step
from common.types import Array
from common.vocabulary import EOS, START, WORDS
from common.weights import Loaded
from console import interrupts
from console.asking import HINT, finite, texts
from console.backend import Twin

MOST = 200
"""New tokens where nobody says how many."""


class Words(Protocol):
    """Text out of tokens as they come, in whole characters; a Stream of common/tokenizers is one."""

    def feed(self, token: int) -> str:
        """The text that this token completes."""

    def end(self) -> str:
        """What is left when no more come."""


@dataclass
class Row:
    """One prompt and what has been added to it so far."""

    number: int
    """Its place among the prompts, from 0: it draws with a key of its own, whatever batch it is in."""
    words: Words
    """The text of its tokens."""
    prompt: str
    """As the model reads it."""
    prompt_ids: list[int]
    room: int
    """How many tokens the model could add."""
    limit: int = 0
    """How many it may."""
    asked: bool = False
    """Whether the user said how many."""
    question: bool = False
    """Whether an answer is wrong that does not end."""
    answers: bool = False
    """Whether what is added is an answer, which stands alone, and does not go on from the prompt."""
    ids: list[int] = field(default_factory=list)
    text: str = ""
    ended: bool = False
    """Whether the model has ended it by itself."""

    @property
    def whole(self) -> str:
        """What is printed of it."""
        return self.text if self.answers else self.prompt + self.text

    @property
    def tail(self) -> str:
        """What is printed behind an answer that was cut: what there is of it could be read as all."""
        return " ..." if self.question and not self.ended else ""

    def add(self, token: int) -> str:
        """Take a token in; returns the new text. The bytes of a character are held back until it is whole."""
        self.ids.append(token)
        return self._grown(self.words.feed(token))

    def close(self) -> str:
        """Returns what is left of a character that was cut: U+FFFD, or nothing."""
        return self._grown(self.words.end())

    def record(self) -> dict[str, Any]:
        """What --json prints. It depends on the model, the prompt, the settings and the seed alone."""
        return {
            "prompt": self.prompt,
            "prompt_ids": self.prompt_ids,
            "text": self.text,
            "ids": self.ids,
            "ended": self.ended,
        }

    def _grown(self, new: str) -> str:
        self.text += new
        return new


class TaskWords:
    """The words of one of our own models."""

    def __init__(self, task: Any):
        self._task, self._utf8 = task, codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        if not isinstance(self._task, TextConfig):
            return f" {WORDS[token]}"
        return self._task.alphabet[token] if self._task.level == "char" else self._utf8.decode(bytes([token]))

    def end(self) -> str:
        return self._utf8.decode(b"", final=True)


def read(text: str, number: int, model: Model, beyond: bool) -> Row:
    """A prompt: raw text for a text model, a question for the others.

    Raises ParseError for one that the model cannot read, or that leaves no room for an answer.
    """
    if isinstance(model.task, TextConfig):
        prompt = texts.read(text, model)
        return Row(number, TaskWords(model.task), prompt.text, prompt.ids, model.config.max_len - len(prompt.ids))
    try:
        problem = reading.read(text.rstrip("\r\n"), model.task, beyond=beyond)
    except Untrained as error:
        raise Untrained(error.column, f"{error}{HINT}") from None
    pairs, long = isinstance(model.config, Seq2SeqConfig), len(problem.prompt)
    most = model.config.max_len - (0 if pairs else 1)
    if long > most:
        raise ParseError(len(text), f"this question has {long} tokens; the model has room for at most {most}")
    room = model.config.max_len - (1 if pairs else long)
    return Row(number, TaskWords(model.task), problem.text, problem.prompt, room, question=True)


def end(model: Model | Loaded) -> int | tuple[int, ...] | None:
    """The tokens that end an answer; a text has none."""
    if isinstance(model, Loaded):
        return tuple(sorted(model.ends)) or None
    return None if isinstance(model.task, TextConfig) else EOS


def limit(rows: Sequence[Row], asked: int | None) -> None:
    """Settle how many tokens are added to each row at most. Raises UserError where `asked` is more than fits."""
    for row in rows:
        if asked is not None and asked > row.room:
            which = f"prompt {row.number + 1}" if len(rows) > 1 else "the prompt"
            read = f"{which} has {len(row.prompt_ids)} tokens"
            raise UserError(f"--max-new-tokens {asked} is too many: {read}, and the model has room for {row.room} more")
        row.limit, row.asked = (min(row.room, MOST), False) if asked is None else (asked, True)


def cut(row: Row) -> str:
    """Why a row was cut at the length that nobody asked for, in a sentence; nothing where it was not."""
    if row.ended or row.asked or len(row.ids) < row.limit:
        return ""
    if row.limit == row.room:
        return f"(cut after {row.limit} new tokens: with the prompt they fill the model's room)"
    return f"(cut after {row.limit} new tokens: --max-new-tokens N asks for more)"


def batches(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one limit together: none is cut short because another's prompt is longer."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row.limit, []).append(row)
    return list(found.values())


def grow(
    model: Model | Loaded, twin: Twin, rows: Sequence[Row], sampling: Sampling, seed: int
) -> Iterator[tuple[Row, str]]:
    """Add tokens to rows of one limit, yielding each row and its new text as they come; the rows are written into.

    Raises UserError if the model's numbers overflow.
    """
    pairs = isinstance(model.config, Seq2SeqConfig)
    steps = twin.generate.stream(
        model.params,
        [row.prompt_ids for row in rows],
        model=model.config,
        sampling=replace(sampling, max_new_tokens=rows[0].limit),
        key=_keys(rows, seed),
        start_token=START if pairs else None,
        candidates=1,
    )
    while (step := _next(steps)) is not None:
        finite([p for best in step.candidates for _, p in best])
        for row, token in zip(rows, step.tokens, strict=True):
            if token is not None and token in sampling.ends:
                row.ended = True
            elif token is not None:
                yield row, row.add(token)
        interrupts.check()


def _next(steps: Iterator[Step]) -> Step | None:
    with np.errstate(all="ignore"):  # an overflow is told in a sentence
        return next(steps, None)


def _keys(rows: Sequence[Row], seed: int) -> Array:
    return np.stack([random.fold_in(random.key(seed), row.number) for row in rows])
