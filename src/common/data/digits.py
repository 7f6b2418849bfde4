"""The digit task: `Max ( 5 3 9 )` -> `9`. Its space of expressions, an honest split of it, and draws from it.

Which part an expression belongs to is a function of the split seed and the expression itself, a hash of its text: 80 %
train, 10 % validation, 10 % test. Nothing has to be listed, so this works for spaces too large to list, and every run
with the same split seed holds out the same expressions, whatever it trains on.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple, get_args

import numpy as np

from common import random
from common.config import DigitsConfig
from common.data import split
from common.data.batching import Examples, pad
from common.data.split import Part
from common.errors import UserError
from common.types import Array, Key
from common.vocabulary import ID

LISTABLE = 40_000
"""A space up to this size is listed in full, and all its held-out expressions are asked; of a larger one, SAMPLE."""
SAMPLE = 2_000
"""Far fewer than a tenth of LISTABLE: each part of a larger space has enough, and drawing them comes to an end."""


class Expression(NamedTuple):
    op: str
    args: tuple[int, ...]

    @property
    def text(self) -> str:
        return f"{self.op} ( {' '.join(map(str, self.args))} )"

    @property
    def tokens(self) -> list[int]:
        return [ID[self.op], ID["("], *(ID[str(arg)] for arg in self.args), ID[")"]]

    @property
    def answer(self) -> int:
        return ANSWER[self.op](self.args)

    @property
    def target(self) -> int:
        """The token of the answer."""
        return ID[str(self.answer)]


ANSWER: dict[str, Callable[[tuple[int, ...]], int]] = {
    "First": lambda args: args[0],
    "Second": lambda args: args[1],
    "Last": lambda args: args[-1],
    "Max": max,
    "Min": min,
}


def part(expression: Expression, split_seed: int) -> Part:
    """The part that an expression belongs to under a split seed, for ever."""
    return split.part(expression.text, split_seed)


def size(task: DigitsConfig) -> int:
    """How many distinct expressions the task has."""
    return len(task.ops) * sum((task.max_value + 1) ** n for n in range(task.min_args, task.max_args + 1))


def listed(task: DigitsConfig) -> Iterator[Expression]:
    """Every expression of the task, in order."""
    for op in task.ops:
        for n in range(task.min_args, task.max_args + 1):
            for args in product(range(task.max_value + 1), repeat=n):
                yield Expression(op, args)


def stream(key: Key, task: DigitsConfig, block: int = 4096) -> Iterator[Expression]:
    """Expressions without end: operation, number of arguments and each argument uniform, with repetition."""
    number = 0
    while True:
        op_key, count_key, arg_key = random.split(random.fold_in(key, number), 3)
        ops = random.randint(op_key, (block,), 0, len(task.ops)).tolist()
        counts = random.randint(count_key, (block,), task.min_args, task.max_args + 1).tolist()
        args = random.randint(arg_key, (block, task.max_args), 0, task.max_value + 1).tolist()
        for op, count, row in zip(ops, counts, args, strict=True):
            yield Expression(task.ops[op], tuple(row[:count]))
        number += 1


def draw_train(key: Key, task: DigitsConfig, n: int) -> list[Expression]:
    """`n` training examples: the stream's expressions, those of the other parts passed over."""
    found: list[Expression] = []
    for expression in stream(key, task):
        if part(expression, task.split_seed) == "train":
            found.append(expression)
            if len(found) == n:
                break
    return found


def drawn(task: DigitsConfig, *, seed: int, examples: int) -> list[Expression]:
    """The training examples of a run, in the order in which they were drawn."""
    return draw_train(random.fold_in(random.key(seed), 1), task, examples)


def held_out(task: DigitsConfig, which: Part) -> list[Expression]:
    """The distinct expressions of a part: all of them, or SAMPLE of them where the space is larger than LISTABLE.

    A function of the task alone: every run with the same split seed is asked the same questions.
    """
    if size(task) <= LISTABLE:
        return [e for e in listed(task) if part(e, task.split_seed) == which]
    found: dict[Expression, None] = {}
    for expression in stream(random.key(task.split_seed), task):
        if part(expression, task.split_seed) == which:
            found[expression] = None
            if len(found) == SAMPLE:
                break
    return list(found)


def to_examples(expressions: list[Expression], task: DigitsConfig) -> Examples:
    """Expressions as arrays, padded to the task's longest."""
    tokens_BT, mask_BT = pad([e.tokens for e in expressions], task.max_tokens)
    return Examples(tokens_BT, mask_BT, np.array([e.target for e in expressions], dtype=np.int64))


class Digits(NamedTuple):
    """The data of a run."""

    task: DigitsConfig
    train: Examples
    validation: Examples
    test: Examples
    train_distinct: int
    overlap: int
    """How many distinct training expressions also stand in validation or test: counted, not assumed. Always 0."""


def load(task: DigitsConfig, *, seed: int, examples: int) -> Digits:
    """The data of a run: a pure function of the task, the training seed and the number of examples.

    Raises UserError if the task has so few expressions that a part of the split is empty, and ValueError if a held-out
    expression is found among the training examples.
    """
    _require_all_parts(task)
    train = drawn(task, seed=seed, examples=examples)
    validation, test = held_out(task, "validation"), held_out(task, "test")
    overlap = len(set(train) & (set(validation) | set(test)))
    if overlap:
        raise ValueError(f"{overlap} held-out expressions are among the training examples: the split is broken")
    arrays = [to_examples(part, task) for part in (train, validation, test)]
    return Digits(task, arrays[0], arrays[1], arrays[2], len(set(train)), overlap)


def _require_all_parts(task: DigitsConfig) -> None:
    if size(task) <= LISTABLE and {part(e, task.split_seed) for e in listed(task)} != set(get_args(Part)):
        raise UserError(
            f"the task has {size(task)} distinct expressions, too few to hold some out for validation and for test: "
            "allow more arguments, larger values or more operations"
        )


def operations(tokens_BT: Array) -> Array:
    """The token id of the operation of each example."""
    return tokens_BT[:, 0]
