"""Configurations from flags: what the user typed, over what the recipe says. Raises UserError as they do."""

import argparse
import re
from dataclasses import replace
from typing import Any

from common.config import (
    ClassifierConfig,
    DigitsConfig,
    GPTConfig,
    ModelConfig,
    Seq2SeqConfig,
    SequenceConfig,
    TaskConfig,
    TextConfig,
    TrainConfig,
)
from common.data import text
from common.errors import UserError
from common.recipes import Recipe
from console import flags

LARGEST = 999_999_999
"""Of --max-value: a draw has 32 bits."""
MOST_DIGITS = 6
"""Of --max-digits: a number is drawn as a fraction of 23 bits, too few for all numbers of seven digits."""


def train(given: argparse.Namespace, recipe: Recipe) -> TrainConfig:
    """How it is trained. Raises UserError for a warm-up that the run would not outlast."""
    chosen = recipe.train | flags.given_of(given, flags.TRAINING)
    if chosen.get("optimizer", "adamw") != "adamw" and given.weight_decay is None:
        chosen["weight_decay"] = 0.0  # what suits the decoupled kind would drown the gradient in the classic one
    made = TrainConfig(**chosen)
    if given.warmup is None:
        return replace(made, warmup=min(made.warmup, made.steps // 10))
    if made.warmup > made.steps:
        raise UserError(
            f"--warmup {made.warmup} is longer than the run of {made.steps} updates: make it shorter, or the run longer"
        )
    return made


def words(given: argparse.Namespace, kind: str) -> str:
    """The text of a text task."""
    if kind != "text":
        return ""
    return text.corpus() if given.text is None else text.read(given.text)


def task(given: argparse.Namespace, kind: str, recipe: Recipe, words: str) -> TaskConfig:
    """What is to be learned; of a text task, from `words`."""
    chosen: dict[str, Any] = recipe.task | flags.given_of(given, ("split_seed",))
    if kind == "text":
        return text.describe(words, **chosen | flags.given_of(given, ("level", "context")))
    chosen |= flags.given_of(given, ("max_value", "min_length", "max_length", "max_digits"))
    chosen |= _num_args(given.num_args)
    if given.ops is not None:
        chosen["ops"] = tuple(word.strip().capitalize() for word in given.ops.split(",") if word.strip())
    if kind == "digits":
        return DigitsConfig(**chosen)
    for dest, most in (("max_value", LARGEST), ("max_digits", MOST_DIGITS)):
        if chosen.get(dest, 0) > most:
            raise UserError(f"{flags.name(dest)} goes up to {most}, not to {chosen[dest]}")
    return SequenceConfig(task=kind, **chosen)


def _num_args(told: str | None) -> dict[str, int]:
    if told is None:
        return {}
    found = re.fullmatch(r"\s*([0-9]{1,3})\s*(?:-\s*([0-9]{1,3})\s*)?", told)
    if not found:
        raise UserError(f"--num-args is a number like 3 or a range like 2-5, not {told!r}")
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise UserError(f"--num-args {told} ends before it begins: put the smaller number first, {high}-{low}")
    return {"min_args": low, "max_args": high}


def model(given: argparse.Namespace, family: str, task: TaskConfig, recipe: Recipe) -> ModelConfig:
    """The family's configuration, large enough for the task."""
    chosen = recipe.model | flags.given_of(given, flags.MODEL)
    chosen.setdefault("d_ffn", 4 * chosen.get("d_model", GPTConfig.d_model))
    if family == "classifier":
        made = ClassifierConfig(**chosen)
        if task.max_tokens > made.max_len:
            raise UserError(f"--num-args goes up to {made.max_len - 3}: the model reads at most {made.max_len} tokens")
        return made
    if isinstance(task, TextConfig):
        return GPTConfig(vocab=task.vocab, max_len=task.context, **chosen)
    assert isinstance(task, SequenceConfig)
    # room for the end token or the start token; and to be asked what is longer than anything it was trained on
    room = max(GPTConfig.max_len, task.max_tokens + 1)
    if family == "gpt":
        return GPTConfig(vocab=task.vocab, max_len=room, **chosen)
    blocks = chosen.pop("n_blocks")
    sides = {"src_vocab": task.vocab, "tgt_vocab": task.vocab, "n_encoder": blocks, "n_decoder": blocks}
    return Seq2SeqConfig(**sides, max_len=room, **chosen)
