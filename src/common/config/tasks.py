"""One frozen dataclass for each kind of task: which questions exist, and which of them a run may train on."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from common.config.checks import Config, one_of, require, whole
from common.vocabulary import OPERATIONS, TOKENS, WORDS


def _check_ops(task: Any) -> None:
    """The operations of a task, each once, and numbers of arguments that all of them can work on."""
    named = isinstance(task.ops, tuple) and len(task.ops) > 0
    require(named, f"ops must name at least one of {', '.join(OPERATIONS)}")
    for op in task.ops:
        near = get_close_matches(str(op).capitalize(), OPERATIONS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(OPERATIONS)}"
        require(op in OPERATIONS, f"there is no operation {op!r}; {hint}")
    require(len(set(task.ops)) == len(task.ops), f"ops names an operation twice: {', '.join(task.ops)}")
    whole(task, 2 if "Second" in task.ops else 1, "min_args")
    whole(task, task.min_args, "max_args")


def _check_split_seed(task: Any) -> None:
    whole(task, 0, "split_seed")
    require(task.split_seed < 2**32, f"split_seed must be below 2^32, not {task.split_seed}")


@dataclass(frozen=True)
class DigitsConfig(Config):
    """The digit task: which expressions exist, and which of them a run may train on.

    The split of the expressions into train, validation and test depends on `split_seed` alone, so that runs with many
    training seeds share it.
    """

    ops: tuple[str, ...] = OPERATIONS
    min_args: int = 3
    max_args: int = 3
    max_value: int = 9
    split_seed: int = 0

    def __post_init__(self) -> None:
        _check_ops(self)
        whole(self, 1, "max_value")
        _check_split_seed(self)
        require(
            self.max_value <= 9,
            f"the classifier answers with one token, so max_value can be at most 9, not {self.max_value}",
        )

    @property
    def vocab(self) -> int:
        return len(TOKENS)

    @property
    def max_tokens(self) -> int:
        """The length in tokens of the longest expression: operation, two brackets, arguments."""
        return self.max_args + 3


SEQUENCE_TASKS = ("operations", "copy", "reverse", "sort", "add")


@dataclass(frozen=True)
class SequenceConfig(Config):
    """A task whose answer is a sequence of tokens. Settings of other tasks than `task` are ignored.

    `operations` answers in full what the classifier answers with one digit, for numbers of any size; `copy`, `reverse`
    and `sort` take a row of digits; `add` takes two numbers.
    """

    task: str = "operations"
    ops: tuple[str, ...] = OPERATIONS
    min_args: int = 3
    max_args: int = 3
    max_value: int = 99
    min_length: int = 1
    max_length: int = 12
    max_digits: int = 4
    split_seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "task", SEQUENCE_TASKS)
        _check_ops(self)
        whole(self, 1, "max_value", "min_length", "max_digits")
        whole(self, self.min_length, "max_length")
        _check_split_seed(self)

    @property
    def vocab(self) -> int:
        return len(WORDS)

    @property
    def max_tokens(self) -> int:
        """The most tokens that a decoder alone reads: question and answer, without the end token."""
        return self.max_prompt + self.max_answer

    @property
    def max_prompt(self) -> int:
        """The length in tokens of the longest question, its `=` included."""
        if self.task == "operations":
            return 4 + self.max_args * len(str(self.max_value)) + (self.max_args - 1)
        return 2 + self.max_length if self.task != "add" else 2 + 2 * self.max_digits

    @property
    def max_answer(self) -> int:
        """The length in tokens of the longest answer, without the end token."""
        if self.task == "operations":
            return len(str(self.max_value))
        return self.max_length if self.task != "add" else self.max_digits + 1


LEVELS = ("char", "byte")


@dataclass(frozen=True)
class TextConfig(Config):
    """A text, to be continued: what its tokens are, and how long a stretch of it the model reads at once.

    The text itself is no part of the configuration; its digest is, so that nobody goes on with another text.
    """

    level: str
    alphabet: str
    """The characters that are tokens, in the order of their ids; empty where bytes are."""
    sha256: str
    """Of the text in UTF-8, in hexadecimal digits."""
    context: int = 256
    split_seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "level", LEVELS)
        whole(self, 2, "context")
        _check_split_seed(self)
        letters = self.alphabet
        ordered = isinstance(letters, str) and list(letters) == sorted(set(letters))
        require(ordered, "alphabet must be a text that holds each character once, in order")
        require(
            (self.level == "char") == bool(letters), f"an alphabet of {len(letters)} does not fit level {self.level}"
        )
        digest = isinstance(self.sha256, str) and len(self.sha256) == 64
        require(digest, f"sha256 must be 64 hexadecimal digits, not {self.sha256!r}")

    @property
    def vocab(self) -> int:
        return len(self.alphabet) if self.level == "char" else 256

    @property
    def max_tokens(self) -> int:
        return self.context


TaskConfig = DigitsConfig | SequenceConfig | TextConfig
TASKS: dict[str, type[TaskConfig]] = {"digits": DigitsConfig, "sequence": SequenceConfig, "text": TextConfig}


def kind_of(task: TaskConfig) -> str:
    """The name of the kind that a task belongs to."""
    return next(name for name, kind in TASKS.items() if type(task) is kind)
