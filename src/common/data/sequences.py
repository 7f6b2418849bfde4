"""Tasks whose answer is a sequence: a question that ends in `=`, and the tokens that follow it.

    operations   Max ( 2 3 , 4 5 , 8 9 ) =    ->  8 9
    copy         Copy 3 1 4 =                 ->  3 1 4
    reverse      Reverse 3 1 4 =              ->  4 1 3
    sort         Sort 3 1 4 =                 ->  1 3 4
    add          1 9 5 + 7 =                  ->  2 0 2

The split is by the question's text, as in common/data/digits.py. The spaces are too large to list: the held-out parts
are samples, drawn from the split seed, so that every run is asked the same questions.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from common import random
from common.config import SequenceConfig
from common.data.batching import Pairs, Texts, pad
from common.data.digits import ANSWER
from common.data.split import Part, part
from common.errors import UserError
from common.types import Key
from common.vocabulary import EOS, ID, START

SAMPLE = 1_000
_PATIENCE = 100
"""Draws for each question that is wanted: more, and the task has not that many."""


class Problem(NamedTuple):
    question: tuple[str, ...]
    """Its words, `=` at the end."""
    answer: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.question)

    @property
    def prompt(self) -> list[int]:
        return [ID[word] for word in self.question]

    @property
    def reply(self) -> list[int]:
        """The answer's tokens and the end token."""
        return [*(ID[word] for word in self.answer), EOS]


def expression(op: str, args: tuple[int, ...]) -> Problem:
    """`Max ( 2 3 , 4 5 ) =`: numbers digit by digit, commas between them."""
    inside = " , ".join(" ".join(str(value)) for value in args).split()
    return Problem((op, "(", *inside, ")", "="), tuple(str(ANSWER[op](args))))


def row(task: str, digits: tuple[int, ...]) -> Problem:
    """`Sort 3 1 4 =`, and likewise `copy` and `reverse`."""
    done = {"copy": digits, "reverse": digits[::-1], "sort": tuple(sorted(digits))}[task]
    return Problem((task.capitalize(), *map(str, digits), "="), tuple(map(str, done)))


def addition(a: int, b: int) -> Problem:
    """`1 9 5 + 7 =`"""
    return Problem((*str(a), "+", *str(b), "="), tuple(str(a + b)))


def stream(key: Key, task: SequenceConfig, block: int = 1024) -> Iterator[Problem]:
    """Problems without end: numbers of arguments, lengths and numbers of digits uniform, then the digits."""
    number = 0
    while True:
        yield from _BLOCK.get(task.task, _rows)(random.fold_in(key, number), task, block)
        number += 1


def _expressions(key: Key, task: SequenceConfig, block: int) -> Iterator[Problem]:
    op_key, count_key, arg_key = random.split(key, 3)
    ops = random.randint(op_key, (block,), 0, len(task.ops)).tolist()
    counts = random.randint(count_key, (block,), task.min_args, task.max_args + 1).tolist()
    args = random.randint(arg_key, (block, task.max_args), 0, task.max_value + 1).tolist()
    for op, count, values in zip(ops, counts, args, strict=True):
        yield expression(task.ops[op], tuple(values[:count]))


def _rows(key: Key, task: SequenceConfig, block: int) -> Iterator[Problem]:
    length_key, digit_key = random.split(key)
    lengths = random.randint(length_key, (block,), task.min_length, task.max_length + 1).tolist()
    digits = random.randint(digit_key, (block, task.max_length), 0, 10).tolist()
    for length, values in zip(lengths, digits, strict=True):
        yield row(task.task, tuple(values[:length]))


def _additions(key: Key, task: SequenceConfig, block: int) -> Iterator[Problem]:
    size_key, value_key = random.split(key)
    sizes = random.randint(size_key, (block, 2), 1, task.max_digits + 1).tolist()
    shares = random.uniform(value_key, (block, 2)).tolist()
    for size, share in zip(sizes, shares, strict=True):
        a, b = (int(share * 10**size) for size, share in zip(size, share, strict=True))
        yield addition(a, b)


_BLOCK: dict[str, Callable[..., Iterator[Problem]]] = {"operations": _expressions, "add": _additions}


def draw_train(key: Key, task: SequenceConfig, n: int) -> list[Problem]:
    """`n` training problems: the stream's, those of the other parts passed over."""
    return list(islice((p for p in stream(key, task) if part(p.text, task.split_seed) == "train"), n))


def drawn(task: SequenceConfig, *, seed: int, examples: int) -> list[Problem]:
    """The training problems of a run, in the order in which they were drawn."""
    return draw_train(random.fold_in(random.key(seed), 1), task, examples)


def held_out(task: SequenceConfig, which: Part, n: int = SAMPLE) -> list[Problem]:
    """`n` distinct problems of a part, or as many as a long search finds; a function of the task alone."""
    found: dict[Problem, None] = {}
    for problem in islice(stream(random.key(task.split_seed), task), _PATIENCE * n):
        if part(problem.text, task.split_seed) == which:
            found[problem] = None
            if len(found) == n:
                break
    if not found:
        raise UserError(f"the task has too few questions to hold some out for {which}: allow longer or larger ones")
    return list(found)


def to_texts(problems: list[Problem], task: SequenceConfig) -> Texts:
    """For the decoder alone: question and answer in one row; only the answer and its end count."""
    whole = [problem.prompt + problem.reply for problem in problems]
    tokens_NT, real_NT = pad(whole, task.max_prompt + task.max_answer + 1)
    starts = [len(problem.prompt) for problem in problems]
    asked_NT = real_NT.copy()
    for n, start in enumerate(starts):
        asked_NT[n, :start] = False
    return Texts(tokens_NT[:, :-1], tokens_NT[:, 1:], asked_NT[:, 1:])


def to_pairs(problems: list[Problem], task: SequenceConfig) -> Pairs:
    """For encoder and decoder: the question is the source; the target begins with the start token."""
    src_NS, mask_NS = pad([problem.prompt for problem in problems], task.max_prompt)
    target_NT, real_NT = pad([problem.reply for problem in problems], task.max_answer + 1)
    tokens_NT, _ = pad([[START, *problem.reply[:-1]] for problem in problems], task.max_answer + 1)
    return Pairs(src_NS, mask_NS, tokens_NT, target_NT, real_NT)


class Sequences(NamedTuple):
    """The data of a run, for either family."""

    task: SequenceConfig
    train: Texts | Pairs
    validation: Texts | Pairs
    test: Texts | Pairs
    train_distinct: int
    overlap: int
    """How many distinct training questions also stand in validation or test: counted, not assumed. Always 0."""


def load(task: SequenceConfig, *, seed: int, examples: int, pairs: bool) -> Sequences:
    """The data of a run: a pure function of task, training seed, number of examples and family (`pairs`: seq2seq).

    Raises UserError if nothing can be held out, ValueError if a held-out question is among the training examples.
    """
    train = drawn(task, seed=seed, examples=examples)
    validation, test = held_out(task, "validation"), held_out(task, "test")
    overlap = len(set(train) & (set(validation) | set(test)))
    if overlap:
        raise ValueError(f"{overlap} held-out questions are among the training examples: the split is broken")
    form = to_pairs if pairs else to_texts
    arrays = [form(problems, task) for problems in (train, validation, test)]
    return Sequences(task, arrays[0], arrays[1], arrays[2], len(set(train)), overlap)
