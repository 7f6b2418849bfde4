"""The data of a run, whatever its task."""

from common.config import (
    DigitsConfig,
    ModelConfig,
    SequenceConfig,
    TaskConfig,
    TextConfig,
    TrainConfig,
    family_of,
    kind_of,
)
from common.data import digits, sequences, text
from common.errors import UserError
from common.run import AnyData

LEARNS = {"digits": ("classifier",), "sequence": ("gpt", "llama", "seq2seq"), "text": ("gpt", "llama")}
"""Which families can learn each kind of task."""


def load(task: TaskConfig, model: ModelConfig, train: TrainConfig, words: str = "") -> AnyData:
    """The data of a run: a pure function of its arguments. `words` is the text of a text task.

    Raises UserError where a model of this family cannot learn the task, and as the task's own `load` does.
    """
    family, able = family_of(model), LEARNS[kind_of(task)]
    if family not in able:
        raise UserError(f"the family {family} cannot learn this task: it is one for {' or '.join(able)}")
    if isinstance(task, DigitsConfig):
        return digits.load(task, seed=train.seed, examples=train.examples)
    if isinstance(task, TextConfig):
        return text.load(task, words, seed=train.seed, examples=train.examples)
    return sequences.load(task, seed=train.seed, examples=train.examples, pairs=family == "seq2seq")


def drawn(task: DigitsConfig | SequenceConfig, *, seed: int, examples: int) -> list[str]:
    """The questions that `load` draws for training, as texts, with repetition."""
    if isinstance(task, DigitsConfig):
        return [expression.text for expression in digits.drawn(task, seed=seed, examples=examples)]
    return [problem.text for problem in sequences.drawn(task, seed=seed, examples=examples)]
