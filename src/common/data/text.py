"""Texts, to be continued token by token: from any UTF-8 file, or the project's own lessons and docstrings.

A token is a character, of those that occur, or a byte of UTF-8. The split is by paragraphs, which blank lines part: a
hash of the paragraph's words decides its part, so that one which stands in the text twice, or once more with its lines
broken elsewhere, is never on both sides. Training draws stretches of the training paragraphs, from anywhere; the
held-out ones are read one after another, at most SAMPLE of them.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import random
from common.config import TextConfig
from common.data.batching import Stretches
from common.data.split import Part, part
from common.errors import UserError
from common.types import Array

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = 256
"""At most so many stretches are asked of a held-out part, evenly spaced over it."""


def read(path: Path | str) -> str:
    """The text of a file. Raises UserError if it cannot be read, is no UTF-8 text, or is empty."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no UTF-8 text: byte {error.start} fits no character") from None
    if not text.strip():
        raise UserError(f"{path}: there is no text in it")
    return text


def corpus(root: Path = ROOT) -> str:
    """The project's lessons and front page, and the docstrings of its modules and functions, in the order of names."""
    pages = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "lessons").glob("*.md"))]
    parts = [page.read_text(encoding="utf-8").strip() for page in pages if page.exists()]
    for module in sorted((root / "src").rglob("*.py")):
        parts += _docstrings(ast.parse(module.read_text(encoding="utf-8")))
    return "\n\n".join(parts) + "\n"


def _docstrings(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (found := ast.get_docstring(node)):
            yield found


def describe(text: str, *, level: str = "char", context: int = 256, split_seed: int = 0) -> TextConfig:
    """The task that a text is."""
    alphabet = "".join(sorted(set(text))) if level == "char" else ""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return TextConfig(level, alphabet, digest, context, split_seed)


def encode(text: str, task: TextConfig) -> list[int]:
    """The token ids of a text. Raises UserError at a character that the task does not know."""
    return _ids(text, task).tolist()


def _ids(text: str, task: TextConfig) -> Array:
    if task.level == "byte":
        return np.frombuffer(text.encode(), np.uint8).astype(np.int64)
    place = {letter: i for i, letter in enumerate(task.alphabet)}
    try:
        return np.array([place[letter] for letter in text], dtype=np.int64)
    except KeyError as error:
        raise UserError(f"the character {error.args[0]!r} did not occur in training: leave it out") from None


def decode(ids: list[int], task: TextConfig) -> str:
    """The text of token ids. Bytes that are no character, as at the end of a cut one, become U+FFFD."""
    if task.level == "byte":
        return bytes(ids).decode(errors="replace")
    return "".join(task.alphabet[i] for i in ids)


class TextData(NamedTuple):
    """The data of a run."""

    task: TextConfig
    train: Stretches
    validation: Stretches
    test: Stretches
    train_distinct: int
    """How many distinct paragraphs are trained on."""
    overlap: int
    """How many of them also stand in validation or test: counted, not assumed. Always 0."""


def load(task: TextConfig, text: str, *, seed: int, examples: int) -> TextData:
    """The data of a run: a pure function of text, task, training seed and number of examples (stretches).

    Raises UserError if the text is not the one that the task describes, or so short that a part of the split is
    shorter than a stretch; ValueError if a held-out paragraph is among those trained on.
    """
    if hashlib.sha256(text.encode()).hexdigest() != task.sha256:
        raise UserError("this is not the text that the run was begun with: its digest is another one")
    parts: dict[Part, list[str]] = {"train": [], "validation": [], "test": []}
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        parts[part(_words(paragraph), task.split_seed)].append(paragraph)
    overlap = len({*map(_words, parts["train"])} & {*map(_words, parts["validation"] + parts["test"])})
    if overlap:
        raise ValueError(f"{overlap} held-out paragraphs are among those trained on: the split is broken")
    streams = {name: _ids("\n\n".join(found) + ("\n" if "\n" in text else ""), task) for name, found in parts.items()}
    for name, stream in streams.items():
        if len(stream) <= task.context:
            raise UserError(
                f"the text has {len(stream)} tokens for {name}, and a stretch takes {task.context + 1}: take a longer "
                "text with more paragraphs, or a shorter context"
            )
    starts_N = random.randint(random.fold_in(random.key(seed), 1), (examples,), 0, len(streams["train"]) - task.context)
    train = _stretches(streams["train"], starts_N, task.context)
    validation, test = (_all(streams[name], task.context) for name in ("validation", "test"))
    return TextData(task, train, validation, test, len({*map(_words, parts["train"])}), overlap)


def _words(paragraph: str) -> str:
    """A paragraph without its line breaks and indentation: one that was only set anew is the same one."""
    return " ".join(paragraph.split())


def _stretches(stream: Array, starts_N: Array, length: int) -> Stretches:
    whole_NU = stream[starts_N[:, None] + np.arange(length + 1)]  # U = T + 1: a token more than is read
    tokens_NT, targets_NT = whole_NU[:, :-1], whole_NU[:, 1:]
    return Stretches(tokens_NT, targets_NT, np.ones(tokens_NT.shape, bool))


def _all(stream: Array, length: int) -> Stretches:
    """The stretches that a part falls into, one after another; a last piece that fills none is left out, and
    of many only SAMPLE are taken, evenly spaced."""
    starts_N = np.arange(0, len(stream) - length, length)
    if len(starts_N) > SAMPLE:
        starts_N = starts_N[np.linspace(0, len(starts_N) - 1, SAMPLE).astype(int)]
    return _stretches(stream, starts_N, length)
