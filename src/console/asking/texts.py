"""Texts: the model continues what it is given, each time by the most probable token. Nothing is right or wrong."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.checkpoint import Model
from common.config import TextConfig
from common.data import text as texts
from common.data.pieces import ParseError
from common.errors import UserError
from common.sampling import Sampling, without_caches
from console import interrupts
from console.asking import Groups, Settings, again, finite, six
from console.asking.again import Again
from console.asking.written import Token
from console.backend import Twin

CONTINUED = 20
"""Tokens that are added to a text, where there is room for them."""
EXPLAINED = 8
"""Of them so many are explained."""


class Prompt(NamedTuple):
    text: str
    ids: list[int]


class Answer(NamedTuple):
    """How the model goes on."""

    prompt: Prompt
    task: TextConfig
    tokens: list[Token]

    @property
    def continuation(self) -> str:
        """What was added; bytes that are no character, as at the end of a cut one, are U+FFFD."""
        return texts.decode([token.id for token in self.tokens], self.task)

    @property
    def log_p(self) -> float:
        """The log-probability of all that was added, in nats."""
        return sum(math.log(token.p) for token in self.tokens)

    @property
    def right(self) -> None:
        return None

    def label(self, token: int) -> str:
        """A token by itself: its character, or `\\xe2` for a byte that is part of one."""
        if self.task.level == "char":
            return self.task.alphabet[token]
        return chr(token) if token < 0x80 else f"\\x{token:02x}"

    def json(self, **more: Any) -> str:
        """One line of JSON, ASCII only. Probabilities and their logarithms have six significant digits."""
        record = {
            "text": self.prompt.text,
            "ids": self.prompt.ids,
            "continuation": self.continuation,
            "continuation_ids": [token.id for token in self.tokens],
            "log_probability": six(self.log_p),
            "steps": [self._step(token) for token in self.tokens],
        }
        return json.dumps(record | more)

    def _step(self, token: Token) -> dict[str, Any]:
        top = [{"token": self.label(i), "probability": six(p)} for i, p in token.top]
        return {"token": self.label(token.id), "probability": six(token.p), "top": top}


class TextsAsker(NamedTuple):
    model: Model
    twin: Twin
    settings: Settings

    def read(self, text: str) -> Prompt:
        """A text as the model reads it. Raises ParseError at what it cannot read, and for one that leaves no room."""
        return read(text, self.model)

    def ask(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """How each text goes on, asked as one batch. Raises UserError if the model's numbers overflow."""
        room = self.model.config.max_len - max(len(prompt.ids) for prompt in prompts)
        with np.errstate(all="ignore"):  # told below in a sentence
            steps = without_caches(
                interrupts.between(
                    self.twin.generate.stream(
                        self.model.params,
                        [prompt.ids for prompt in prompts],
                        model=self.model.config,
                        sampling=Sampling(max_new_tokens=min(CONTINUED, room)),
                        candidates=self.settings.top,
                    )
                )
            )
        written = [[token for step in steps if (token := Token.of(step, row))] for row in range(len(prompts))]
        finite([token.p for tokens in written for token in tokens])
        return [Answer(prompt, self.model.task, tokens) for prompt, tokens in zip(prompts, written, strict=True)]

    def again(self, answer: Answer, *, whole: bool = False) -> Again:
        names = [answer.label(token) for token in range(self.model.task.vocab)]
        said = [token.id for token in answer.tokens]
        return again.after(answer.prompt.ids, said if whole else said[:EXPLAINED], [], names)

    def slow(self, answer: Answer) -> bool:
        return False

    def drawn(self, answer: Answer) -> None:
        """A text is no example: training drew stretches of another one."""

    def cases(self) -> Groups:
        raise _nothing_right()

    def draw(self, seed: int) -> Iterator[Prompt]:
        raise _nothing_right()

    def everything(self) -> tuple[str, list[Prompt]]:
        raise _nothing_right()

    def judge(self, prompts: Sequence[Prompt]) -> Any:
        raise _nothing_right()

    def total(self, prompts: Sequence[Prompt], judged: Sequence[Any]) -> Any:
        raise _nothing_right()


def read(text: str, model: Model) -> Prompt:
    """A text as a text model reads it. Raises ParseError, as `TextsAsker.read` tells."""
    task, room = model.task, model.config.max_len
    if not text:
        raise ParseError(0, "there is nothing here; type the beginning of a text")
    if task.level == "char":
        wrong = next((i for i, letter in enumerate(text) if letter not in task.alphabet), None)
    else:
        wrong = next((i for i, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), None)
    if wrong is not None:
        raise ParseError(wrong, _unknown(text[wrong]))
    ids = texts.encode(text, task)
    if len(ids) >= room:
        told = f"this text has {len(ids)} tokens; with the next one it must fit into the {room} that the model reads"
        raise ParseError(len(text), told)
    return Prompt(text, ids)


def _unknown(letter: str) -> str:
    if "\ud800" <= letter <= "\udfff":
        return "this byte is not UTF-8 text; save the text as UTF-8"
    shown = f"'{letter}'" if letter.isprintable() else f"U+{ord(letter):04X}"
    return f"the character {shown} did not occur in training: leave it out"


def _nothing_right() -> UserError:
    return UserError("a text model has no right answers to count: ask with --expr or --file, or use generate.py")
