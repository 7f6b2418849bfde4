"""One way to all of it: a path, or the name of the model that comes as a package, to everything a model is."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from common import chat_template, tokenizers
from common.chat_template import ChatTemplate
from common.config import LlamaConfig
from common.files import FileError
from common.tokenizers import Tokenizer
from common.types import Tree
from common.weights import gguf, gguf_llama, huggingface, smollm2
from common.weights.filling import Progress


@dataclass(frozen=True)
class Loaded:
    """A trained model, and what is needed to talk to it."""

    name: str
    config: LlamaConfig
    params: Tree = field(repr=False)
    tokenizer: Tokenizer | None
    """None where only weights were found or asked for."""
    chat: ChatTemplate | None
    """How a conversation is written; None where the model has no such form, or no tokenizer."""
    ends: frozenset[int]
    """The ids after which an answer is over."""


def load(
    path: Path | str, *, dtype: DTypeLike = np.float32, tokenizer: bool = True, progress: Progress | None = None
) -> Loaded:
    """Load a model: a Hugging Face directory, a GGUF file, or the word smollm2.

    Parameters come in `dtype`, as (in, out); without `tokenizer` only they are read, for which NumPy is
    enough. `progress(done, total)` is called with bytes of the result. Raises FileError (a UserError) for whatever
    is wrong with the files, and UserError for a package that is missing.
    """
    if str(path) == smollm2.NAME:
        return replace(_file(smollm2.path(), dtype, tokenizer, progress), name=smollm2.TITLE)
    place = Path(path)
    if place.suffix == ".safetensors":
        raise FileError(place, "holds tensors without their meaning: give the directory with its config.json")
    return _directory(place, dtype, tokenizer, progress) if place.is_dir() else _file(place, dtype, tokenizer, progress)


def save(folder: Path | str, model: Loaded) -> None:
    """Write a model as a directory that `load` and `transformers` read. Raises FileError."""
    tok = model.tokenizer
    start, others = (tok.bos, tok.files) if tok is not None else (None, {})
    huggingface.save(folder, model.config, model.params, ends=model.ends, start=start, others=others)


def _directory(folder: Path, dtype: DTypeLike, with_tokenizer: bool, progress: Progress | None) -> Loaded:
    # what can be wrong with small files is said before the large ones are read
    huggingface.configuration(folder)
    tok = tokenizers.from_folder(folder) if with_tokenizer else None
    chat = chat_template.from_folder(folder) if tok is not None else None
    ends = huggingface.end_ids(folder)
    config, params = huggingface.load(folder, dtype, progress)
    return _loaded(folder, folder.resolve().name, config, params, tok, chat, ends)


def _file(path: Path, dtype: DTypeLike, with_tokenizer: bool, progress: Progress | None) -> Loaded:
    file = gguf.read(path)
    tok = tokenizers.from_gguf(path, file.metadata) if with_tokenizer else None
    chat = chat_template.from_gguf(path, file.metadata, tok) if tok is not None else None
    config, params = gguf_llama.load(file, dtype, progress)
    name = file.metadata.get("general.name")
    ends = gguf_llama.end_ids(file.metadata)
    return _loaded(path, name if isinstance(name, str) else path.stem, config, params, tok, chat, ends)


def _loaded(
    path: Path,
    name: str,
    config: LlamaConfig,
    params: Tree,
    tok: Tokenizer | None,
    chat: ChatTemplate | None,
    ends: frozenset[int],
) -> Loaded:
    if tok is not None and len(tok.pieces) > config.vocab:
        raise FileError(path, f"has a tokenizer of {len(tok.pieces)} tokens for a model of {config.vocab}")
    every = ends if tok is None else ends | tok.ends
    wrong = sorted(i for i in every if not 0 <= i < config.vocab)
    if wrong:
        raise FileError(path, f"says that answers end with token {wrong[0]}, which is none of {config.vocab}")
    return Loaded("".join(c if c.isprintable() else "?" for c in name[:100]), config, params, tok, chat, every)
