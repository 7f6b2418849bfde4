"""The digit task: one expression, one token for an answer."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from common import evaluation, random
from common.checkpoint import Model
from common.config import DigitsConfig
from common.data import digits, parsing
from common.data.batching import Examples
from common.data.digits import Expression
from common.data.pieces import ParseError, Untrained
from common.data.split import Part
from common.evaluation import Evaluation
from common.vocabulary import TOKENS, words
from console import attention
from console.asking import HINT, Groups, Settings, again, drawn, finite, six
from console.asking.again import Again
from console.asking.digit_cases import cases
from console.asking.drawn import Drawn
from console.backend import Twin


class Look(NamedTuple):
    """The strongest look that one head took from the answer position."""

    head: int
    position: int
    share: float


class Answer(NamedTuple):
    """What the model said to one expression."""

    expression: Expression
    part: Part | None
    """The part of the split that the expression belongs to; None beyond what the model was trained on."""
    top: list[tuple[str, float]]
    """The most probable tokens, the first of them is the answer."""
    block: int
    """The number of the last block, from 0."""
    looked: list[float]
    """Shares of the attention of position 0 in that block for each token of the expression, the mean of all heads."""
    strongest: Look

    @property
    def answer(self) -> str:
        return self.top[0][0]

    @property
    def expected(self) -> str:
        return TOKENS[self.expression.target]

    @property
    def right(self) -> bool:
        return self.answer == self.expected

    def json(self, **more: Any) -> str:
        """One line of JSON, ASCII only. Shares and probabilities have six significant digits."""
        labels = words(self.expression.tokens)
        look = self.strongest
        record = {
            "expression": self.expression.text,
            "tokens": labels,
            "ids": self.expression.tokens,
            "answer": self.answer,
            "expected": self.expected,
            "correct": self.right,
            "part": self.part,
            "top": [{"token": token, "probability": six(p)} for token, p in self.top],
            "attention": {
                "block": self.block,
                "mean": [six(share) for share in self.looked],
                "strongest": {
                    "head": look.head,
                    "position": look.position,
                    "token": labels[look.position],
                    "share": six(look.share),
                },
            },
        }
        return json.dumps(record | more)


class DigitsAsker(NamedTuple):
    """Attention is always read from the NumPy twin's forward."""

    model: Model
    twin: Twin
    settings: Settings

    def read(self, text: str) -> Expression:
        """The expression that a text spells. Raises ParseError if it is none, or longer than the model can read."""
        try:
            expression = parsing.parse(text, self.model.task, beyond=self.settings.beyond)
        except Untrained as error:
            raise Untrained(error.column, f"{error}{HINT}") from None
        long, room = len(expression.tokens), self.model.config.max_len
        if long > room:
            raise ParseError(len(text), f"this question takes {long} tokens; the model reads at most {room}")
        return expression

    def ask(self, expressions: Sequence[Expression]) -> list[Answer]:
        """The answers to some expressions, asked as one batch. Raises UserError if the model's numbers overflow."""
        asked = self._examples(expressions)
        params, config = self.model.params, self.model.config
        with np.errstate(all="ignore"):  # told below in a sentence
            p_BV = np.asarray(self.twin.train.predict(params, asked.tokens, asked.mask, model=config))
            w_BHTS = attention.weights(params, asked.tokens, asked.mask, config)[-1]
        finite(p_BV)
        return [self._answer(*row) for row in zip(expressions, p_BV, w_BHTS[:, :, 0], strict=True)]

    def _examples(self, expressions: Sequence[Expression]) -> Examples:
        # of one width for all that the task has: less to compile
        task: DigitsConfig = self.model.task
        longest = max(task.max_args, *(len(e.args) for e in expressions))
        return digits.to_examples(list(expressions), replace(task, max_args=longest))

    def _answer(self, expression: Expression, p_V: Any, w_HS: Any) -> Answer:
        best = np.argsort(-p_V, kind="stable")[: self.settings.top].tolist()
        w_HT = w_HS[:, : len(expression.tokens)]
        head, position = divmod(int(np.argmax(w_HT)), w_HT.shape[1])
        return Answer(
            expression,
            part(expression, self.model.task),
            [(TOKENS[token], float(p_V[token])) for token in best],
            self.model.config.n_blocks - 1,
            w_HT.mean(axis=0).tolist(),
            Look(head, position, float(w_HT[head, position])),
        )

    def again(self, answer: Answer, *, whole: bool = False) -> Again:
        said, expression = TOKENS.index(answer.answer), answer.expression
        return again.one(expression.tokens, said, expression.target, TOKENS)

    def slow(self, answer: Answer) -> bool:
        return drawn.slow(self.model, answer.part)

    def drawn(self, answer: Answer) -> Drawn:
        return drawn.drawn(self.model, answer.expression.text, answer.part)

    def cases(self) -> Groups:
        return cases(self.model.task)

    def draw(self, seed: int) -> Iterator[Expression]:
        return digits.stream(random.key(seed), self.model.task)

    def everything(self) -> tuple[str, list[Expression]]:
        """Every expression of the task, or the test part of a task too large to list."""
        task = self.model.task
        space = digits.size(task)
        if space <= digits.LISTABLE:
            return f"all {space:,} expressions", list(digits.listed(task))
        held_out = digits.held_out(task, "test")
        return f"{len(held_out):,} of the test part's expressions", held_out

    def judge(self, expressions: Sequence[Expression]) -> Evaluation:
        """The twin's own evaluation, which tells every prediction."""
        with np.errstate(all="ignore"):
            found = self.twin.train.evaluate(self.model.params, self._examples(expressions), model=self.model.config)
        finite(found.loss)
        return found

    def total(self, expressions: Sequence[Expression], judged: Sequence[Evaluation]) -> Evaluation:
        """What was judged of parts of some expressions, of all of them."""
        asked = digits.to_examples(list(expressions), self.model.task)
        loss = float(np.average([one.loss for one in judged], weights=[len(one.predictions) for one in judged]))
        return evaluation.judge(loss, np.concatenate([one.predictions for one in judged]), asked)


def part(expression: Expression, task: DigitsConfig) -> Part | None:
    """The part of the split, or None for an expression that the task has not."""
    inside = task.min_args <= len(expression.args) <= task.max_args and max(expression.args) <= task.max_value
    return digits.part(expression, task.split_seed) if inside else None
