"""What a run is made of: one frozen dataclass for each model family, one for the task, one for training.

A checkpoint carries them, so that nobody repeats an architecture to load a file. Every value is checked when the
object is made; an error names the field, the value and what would be right.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Self

from common.errors import UserError
from common.vocabulary import OPERATIONS, TOKENS

KEEPS = {"sgd": (), "momentum": ("m",), "adam": ("m", "v"), "adamw": ("m", "v")}
"""What each optimizer keeps from update to update besides its step count, each as large as the parameters."""
OPTIMIZERS = tuple(KEEPS)
SCHEDULES = ("constant", "cosine", "linear")
POSITIONS = ("learned", "sinusoidal")
ACTIVATIONS = ("relu", "gelu", "gelu_exact")
DTYPES = ("float32", "bfloat16")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise UserError(message)


def _whole(config: Any, low: int, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        _require(whole and value >= low, f"{name} must be a whole number of at least {low}, not {value!r}")


def _number(config: Any, name: str, low: float, high: float = float("inf"), *, open_low: bool = False) -> None:
    value = getattr(config, name)
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    ok = ok and (low < value if open_low else low <= value) and value <= high and value < float("inf")
    bound = f"{'above' if open_low else 'at least'} {low:g}" + (f" and at most {high:g}" if high < float("inf") else "")
    _require(ok, f"{name} must be a number {bound}, not {value!r}")


def _one_of(config: Any, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(config, name)
    _require(value in choices, f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _check_widths(config: Any) -> None:
    """What every model family asks of its sizes."""
    _whole(config, 1, "d_model", "n_heads", "d_ffn", "max_len")
    _number(config, "eps", 0.0, open_low=True)
    _require(
        config.d_model % config.n_heads == 0,
        f"d_model {config.d_model} does not split into {config.n_heads} heads: make d_model a multiple of n_heads",
    )


def _check_blocks(config: Any) -> None:
    """What the sequence models ask besides."""
    _check_widths(config)
    _one_of(config, "positions", POSITIONS)
    _one_of(config, "activation", ACTIVATIONS)
    _number(config, "dropout", 0.0, 0.9)
    even = config.positions == "learned" or config.d_model % 2 == 0
    _require(even, f"d_model must be even for sine and cosine positions, not {config.d_model}")


def _check_ops(task: Any) -> None:
    """The operations of a task, each once, and numbers of arguments that all of them can work on."""
    named = isinstance(task.ops, tuple) and len(task.ops) > 0
    _require(named, f"ops must name at least one of {', '.join(OPERATIONS)}")
    for op in task.ops:
        near = get_close_matches(str(op).capitalize(), OPERATIONS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(OPERATIONS)}"
        _require(op in OPERATIONS, f"there is no operation {op!r}; {hint}")
    _require(len(set(task.ops)) == len(task.ops), f"ops names an operation twice: {', '.join(task.ops)}")
    _whole(task, 2 if "Second" in task.ops else 1, "min_args")
    _whole(task, task.min_args, "max_args")


def _check_split_seed(task: Any) -> None:
    _whole(task, 0, "split_seed")
    _require(task.split_seed < 2**32, f"split_seed must be below 2^32, not {task.split_seed}")


class _Config:
    """To and from plain dicts, for checkpoints."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Raises UserError for a key that is no field (with the nearest field) and for a field that is missing."""
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for key in values:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            _require(key in known, f"{cls.__name__} has no setting {key!r}; {hint}")
        missing = [name for name in known if name not in values]
        _require(not missing, f"{cls.__name__} lacks {', '.join(missing)}")
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})


@dataclass(frozen=True)
class ClassifierConfig(_Config):
    """The encoder-only digit transformer: post-LN, sinusoidal positions, ReLU, one token out."""

    vocab: int = len(TOKENS)
    d_model: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    d_ffn: int = 256
    max_len: int = 50
    eps: float = 1e-5

    def __post_init__(self) -> None:
        _check_widths(self)
        _whole(self, 1, "vocab", "n_blocks")
        _require(self.d_model % 2 == 0, f"d_model must be even for sine and cosine positions, not {self.d_model}")


@dataclass(frozen=True)
class GPTConfig(_Config):
    """The decoder alone: pre-LN, GELU, learned or sinusoidal positions, dropout, tied or untied head."""

    vocab: int
    d_model: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    d_ffn: int = 256
    max_len: int = 64
    eps: float = 1e-5
    positions: str = "learned"
    activation: str = "gelu"
    dropout: float = 0.0
    tied: bool = True

    def __post_init__(self) -> None:
        _check_blocks(self)
        _whole(self, 1, "vocab", "n_blocks")
        _require(isinstance(self.tied, bool), f"tied must be true or false, not {self.tied!r}")


@dataclass(frozen=True)
class Seq2SeqConfig(_Config):
    """Encoder and decoder: post-LN, ReLU, sinusoidal or learned positions, dropout, tied or untied head."""

    src_vocab: int
    tgt_vocab: int
    d_model: int = 64
    n_encoder: int = 2
    n_decoder: int = 2
    n_heads: int = 4
    d_ffn: int = 256
    max_len: int = 64
    eps: float = 1e-5
    positions: str = "sinusoidal"
    activation: str = "relu"
    dropout: float = 0.0
    tied: bool = False

    def __post_init__(self) -> None:
        _check_blocks(self)
        _whole(self, 1, "src_vocab", "tgt_vocab", "n_encoder", "n_decoder")
        _require(isinstance(self.tied, bool), f"tied must be true or false, not {self.tied!r}")


ModelConfig = ClassifierConfig | GPTConfig | Seq2SeqConfig


@dataclass(frozen=True)
class DigitsConfig(_Config):
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
        _whole(self, 1, "max_value")
        _check_split_seed(self)
        _require(
            self.max_value <= 9,
            f"the classifier answers with one token, so max_value can be at most 9, not {self.max_value}",
        )

    @property
    def max_tokens(self) -> int:
        """The length in tokens of the longest expression: operation, two brackets, arguments."""
        return self.max_args + 3


SEQUENCE_TASKS = ("operations", "copy", "reverse", "sort", "add")


@dataclass(frozen=True)
class SequenceConfig(_Config):
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
        _one_of(self, "task", SEQUENCE_TASKS)
        _check_ops(self)
        _whole(self, 1, "max_value", "min_length", "max_digits")
        _whole(self, self.min_length, "max_length")
        _check_split_seed(self)

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


TaskConfig = DigitsConfig | SequenceConfig


@dataclass(frozen=True)
class TrainConfig(_Config):
    """How a model is trained. `steps` is the length of the run; the schedule stretches over it."""

    examples: int = 10_000
    epochs: int = 6
    batch_size: int = 64
    optimizer: str = "adamw"
    lr: float = 3e-3
    schedule: str = "cosine"
    warmup: int = 50
    weight_decay: float = 1.0
    clip_norm: float = 0.0
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    seed: int = 0
    dtype: str = "float32"
    """What the passes compute in; parameters and optimizer are float32 in both cases."""

    def __post_init__(self) -> None:
        _whole(self, 1, "examples", "epochs", "batch_size")
        _whole(self, 0, "warmup", "seed")
        _require(self.seed < 2**32, f"seed must be below 2^32, not {self.seed}")
        _one_of(self, "optimizer", OPTIMIZERS)
        _one_of(self, "schedule", SCHEDULES)
        _one_of(self, "dtype", DTYPES)
        _number(self, "lr", 0.0, open_low=True)
        _number(self, "eps", 0.0, open_low=True)
        _number(self, "weight_decay", 0.0)
        _number(self, "clip_norm", 0.0)
        for name in ("momentum", "beta1", "beta2"):
            _number(self, name, 0.0, 0.999999)
        _require(
            self.batch_size <= self.examples,
            f"batch_size {self.batch_size} is more than the {self.examples} training examples: make it smaller",
        )

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over the examples; each epoch leaves out a different remainder."""
        return self.examples // self.batch_size

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch


SIZES: dict[str, dict[str, Any]] = {
    "small": {"examples": 1_000, "epochs": 60, "batch_size": 64, "optimizer": "adamw", "schedule": "cosine"},
    "medium": {"examples": 10_000, "epochs": 6, "batch_size": 64, "optimizer": "adamw", "schedule": "cosine"},
    "large": {"examples": 100_000, "epochs": 2, "batch_size": 64, "optimizer": "adamw", "schedule": "cosine"},
}
"""What `--size` sets; each can be overridden by its own option."""
