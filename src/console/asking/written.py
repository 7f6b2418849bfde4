"""What a model wrote, token by token, and what it was asked: the answers of the sequence tasks as data."""

import json
import math
from typing import Any, NamedTuple

from common.data.sequences import Problem
from common.data.split import Part
from common.sampling import Hypothesis, Step
from common.vocabulary import EOS, WORDS, words
from console.asking import six


class Question(NamedTuple):
    problem: Problem
    part: Part | None
    """The part of the split that the question belongs to; None beyond what the model was trained on."""


class Token(NamedTuple):
    """One token that the model wrote."""

    id: int
    p: float
    top: list[tuple[int, float]]
    """The most probable tokens in its place, by id."""

    @classmethod
    def of(cls, step: Step, row: int) -> "Token | None":
        """What a step of generation wrote into a row; None where the row had ended."""
        token, top = step.tokens[row], step.candidates[row]
        # of tokens equal within rounding the chosen one may be no candidate: then it is as probable as the first
        return None if token is None else cls(token, dict(top).get(token, top[0][1]), top)


class Answer(NamedTuple):
    """What the model said to one question: at each place the most probable token."""

    question: Question
    tokens: list[Token]
    """The end token included, if it came."""
    expected_log_p: float
    """The log-probability of the right answer, its end token included, in nats."""
    beams: list[Hypothesis] | None
    """What a beam search found besides, best first; None where none was asked for."""

    @property
    def ended(self) -> bool:
        return self.tokens[-1].id == EOS

    @property
    def reply(self) -> list[int]:
        """The tokens of the answer, without the end token."""
        return [token.id for token in self.tokens if token.id != EOS]

    @property
    def log_p(self) -> float:
        """The log-probability of the whole answer, its end token included, in nats."""
        return sum(math.log(token.p) for token in self.tokens)

    @property
    def right(self) -> bool:
        return [token.id for token in self.tokens] == self.question.problem.reply

    def json(self, **more: Any) -> str:
        """One line of JSON, ASCII only. Probabilities and their logarithms have six significant digits."""
        problem = self.question.problem
        record = {
            "question": problem.text,
            "tokens": list(problem.question),
            "ids": problem.prompt,
            "answer": " ".join(words(self.reply)),
            "answer_ids": self.reply,
            "ended": self.ended,
            "expected": " ".join(problem.answer),
            "correct": self.right,
            "part": self.question.part,
            "log_probability": six(self.log_p),
            "expected_log_probability": six(self.expected_log_p),
            "steps": [_step(token) for token in self.tokens],
        }
        if self.beams is not None:
            record["beams"] = [_beam(found) for found in self.beams]
        return json.dumps(record | more)


def _step(token: Token) -> dict[str, Any]:
    top = [{"token": WORDS[i], "probability": six(p)} for i, p in token.top]
    return {"token": WORDS[token.id], "probability": six(token.p), "top": top}


def _beam(found: Hypothesis) -> dict[str, Any]:
    return {
        "answer": " ".join(words(found.tokens)),
        "ids": found.tokens,
        "log_probability": six(found.log_probability),
        "score": six(found.score),
        "ended": found.ended,
    }


class Judged(NamedTuple):
    """Some answers, counted."""

    answers: list[Answer]

    @property
    def accuracy(self) -> float:
        return sum(answer.right for answer in self.answers) / len(self.answers)

    @property
    def loss(self) -> float:
        """Mean surprise at a token of the right answers, the end tokens included, in nats: what training lowers."""
        n = sum(len(answer.question.problem.reply) for answer in self.answers)
        return -sum(answer.expected_log_p for answer in self.answers) / n
