"""Questions to a trained model and its answers, as data: what the screens show and what --json prints."""

import json
from collections.abc import Sequence
from itertools import cycle, islice
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from common.checkpoint import Model
from common.config import DigitsConfig
from common.data import digits
from common.data.digits import Expression, Part
from common.errors import UserError
from common.evaluation import Evaluation
from common.vocabulary import TOKENS, words
from console import attention


class Look(NamedTuple):
    """The strongest look that one head took from the answer position."""

    head: int
    position: int
    share: float


class Answer(NamedTuple):
    """What the model said to one expression."""

    expression: Expression
    part: Part
    """The part of the split that the expression belongs to."""
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
            "top": [{"token": token, "probability": _six(p)} for token, p in self.top],
            "attention": {
                "block": self.block,
                "mean": [_six(share) for share in self.looked],
                "strongest": {
                    "head": look.head,
                    "position": look.position,
                    "token": labels[look.position],
                    "share": _six(look.share),
                },
            },
        }
        return json.dumps(record | more)


def _six(number: float) -> float:
    return float(f"{number:.6g}")


class Asker(NamedTuple):
    """A model that can be asked, through one of the twins. Attention is always read from the NumPy twin's forward."""

    model: Model
    twin: ModuleType
    top: int

    def ask(self, expressions: Sequence[Expression]) -> list[Answer]:
        """The answers to some expressions of the model's task, asked as one batch.

        Raises UserError if the model's numbers overflow: a file can be sound and its weights absurd.
        """
        asked = digits.to_examples(list(expressions), self.model.task)
        params, config = self.model.params, self.model.config
        with np.errstate(all="ignore"):  # told below in a sentence
            p_BV = np.asarray(self.twin.predict(params, asked.tokens, asked.mask, model=config))
            w_BHTS = attention.weights(params, asked.tokens, asked.mask, config)[-1]
        if not np.isfinite(p_BV).all():
            raise UserError("the weights of this model are so large that its answers overflow; use another checkpoint")
        return [self._answer(*row) for row in zip(expressions, p_BV, w_BHTS[:, :, 0], strict=True)]

    def _answer(self, expression: Expression, p_V: Any, w_HS: Any) -> Answer:
        best = np.argsort(-p_V, kind="stable")[: self.top].tolist()
        w_HT = w_HS[:, : len(expression.tokens)]
        head, position = divmod(int(np.argmax(w_HT)), w_HT.shape[1])
        return Answer(
            expression,
            digits.part(expression, self.model.task.split_seed),
            [(TOKENS[token], float(p_V[token])) for token in best],
            self.model.config.n_blocks - 1,
            w_HT.mean(axis=0).tolist(),
            Look(head, position, float(w_HT[head, position])),
        )

    def judge(self, expressions: Sequence[Expression]) -> Evaluation:
        """The twin's own evaluation, which tells right answers by operation and every prediction."""
        asked = digits.to_examples(list(expressions), self.model.task)
        with np.errstate(all="ignore"):
            return self.twin.evaluate(self.model.params, asked, model=self.model.config)


_EASY = ("2580361947", "7415920386", "3617482950", "5394817260", "6249130758")
_SAME = ("0", "5", "9")
# which argument is made equal to which: the second to the first, the last to the one before it, the last to the first
_DUPLICATES = (("7294", 1, 0), ("8416", -1, -2), ("3625", -1, 0))
_EXTREMES = ("09", "90", "009")


def cases(task: DigitsConfig) -> list[tuple[str, list[Expression]]]:
    """Fourteen cases in four groups, made to fit the task: its operations and numbers of arguments taken in turn, the
    digits of each pattern repeated as often as needed and scaled to the task's largest."""
    numbers, ops = cycle(range(task.min_args, task.max_args + 1)), cycle(task.ops)

    def case(pattern: str, to: int = 0, of: int = 0) -> Expression:
        args = [int(c) * task.max_value // 9 for c in islice(cycle(pattern), next(numbers))]
        if len(args) > 1:
            args[to] = args[of]
        return Expression(next(ops), tuple(args))

    return [
        ("easy", [case(pattern) for pattern in _EASY]),
        ("all the same", [case(pattern) for pattern in _SAME]),
        ("duplicates", [case(*duplicate) for duplicate in _DUPLICATES]),
        ("extremes", [case(pattern) for pattern in _EXTREMES]),
    ]
