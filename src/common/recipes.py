"""How each kind of model is trained on each task unless the user says otherwise: settings that were tried and hold."""

from typing import Any, NamedTuple

from common.config import SEQUENCE_TASKS, SIZES
from common.errors import UserError


class Recipe(NamedTuple):
    """Defaults by field name; what is not named keeps the default of its configuration."""

    model: dict[str, Any]
    """Of the family's ModelConfig. `n_blocks` of a seq2seq is the number on each side."""
    train: dict[str, Any]
    """Of TrainConfig."""
    task: dict[str, Any] = {}  # noqa: RUF012 (never written into)
    """Of the task's configuration."""


_STEADY = {"batch_size": 64, "beta2": 0.99, "clip_norm": 1.0, "weight_decay": 0.1, "warmup": 200}
"""Clipping and a shorter memory for the squares: without them some seeds lose what they had learned."""
_PAIRS = _STEADY | {"epochs": 2, "lr": 2e-3}
_ALONE = _STEADY | {"epochs": 1, "lr": 1.5e-3}
"""At twice this rate a decoder alone is slow to learn to compare numbers, and some seeds never learn it well."""
_TWO_BY_TWO = {"d_model": 64, "n_blocks": 2}
_WIDE = {"d_model": 128, "n_blocks": 2, "d_ffn": 256}

_RECIPES: dict[tuple[str, str], Recipe] = {
    ("classifier", "digits"): Recipe({"d_model": 64, "n_blocks": 2}, SIZES["medium"]),
    ("gpt", "operations"): Recipe(_WIDE, _ALONE | {"examples": 256_000}),
    ("gpt", "copy"): Recipe(_WIDE, _ALONE | {"examples": 128_000}),
    ("gpt", "reverse"): Recipe(_WIDE, _ALONE | {"examples": 128_000}),
    ("gpt", "sort"): Recipe(_WIDE, _ALONE | {"examples": 128_000}),
    ("gpt", "add"): Recipe(_WIDE, _ALONE | {"examples": 400_000}),
    ("gpt", "text"): Recipe(
        _WIDE | {"dropout": 0.1},
        _STEADY | {"examples": 8_000, "epochs": 4, "batch_size": 8, "lr": 3e-3, "warmup": 100},
        {"context": 128},
    ),
    ("seq2seq", "operations"): Recipe(_TWO_BY_TWO, _PAIRS | {"examples": 100_000, "lr": 3e-3}),
    ("seq2seq", "copy"): Recipe(_TWO_BY_TWO, _PAIRS | {"examples": 64_000}),
    ("seq2seq", "reverse"): Recipe(_TWO_BY_TWO, _PAIRS | {"examples": 64_000}),
    ("seq2seq", "sort"): Recipe(_TWO_BY_TWO, _PAIRS | {"examples": 64_000}),
    ("seq2seq", "add"): Recipe(_TWO_BY_TWO, _PAIRS | {"examples": 160_000}),
}
TASK_NAMES = ("digits", *SEQUENCE_TASKS, "text")
"""The names by which a user chooses a task."""
_FIRST = {"classifier": "digits", "gpt": "operations", "seq2seq": "operations"}
"""What a family learns where no task is named."""
FAMILY_NAMES = tuple(_FIRST)
"""The names by which a user chooses a model."""


def choose(family: str | None, task: str | None) -> tuple[str, str]:
    """Family and name of the task, where one of them, or both, may be left open.

    Raises UserError, which names the families that can, where this one cannot learn the task.
    """
    if task is None:
        return family or "classifier", _FIRST[family or "classifier"]
    able = [known for known in _FIRST if (known, task) in _RECIPES]
    if family is not None and family not in able:
        raise UserError(f"--model {family} cannot learn --task {task}: take --model {' or '.join(able)}")
    return family or able[0], task


def recipe(family: str, task: str) -> Recipe:
    """The defaults of a family on a task (TASK_NAMES). Raises KeyError for a pair that `choose` refuses."""
    return _RECIPES[family, task]
