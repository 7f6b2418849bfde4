"""A Hugging Face directory: config.json and safetensors, one file or many with an index. Read, and written back."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from common import files, tree
from common import params as params_map
from common.config import LlamaConfig
from common.files import FileError
from common.types import Array, Tree
from common.weights import filling, hf_config, names, tensors
from common.weights.filling import Progress, Stored

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"


def load(folder: Path, dtype: DTypeLike = np.float32, progress: Progress | None = None) -> tuple[LlamaConfig, Tree]:
    """Configuration and parameters, in `dtype`. Raises FileError naming what is missing, unknown or misshapen."""
    config = configuration(folder)
    found = _without_extras(folder, _stored(folder), config)
    return config, filling.fill(folder, found, config, names.HUGGING_FACE, dtype, progress)


def configuration(folder: Path) -> LlamaConfig:
    path = folder / "config.json"
    if not path.exists() and (folder / "params.json").exists():
        raise FileError(folder, "is in Meta's own form, which cannot be read; take the one for Hugging Face")
    return hf_config.from_json(path, files.json_object(path))


def end_ids(folder: Path) -> frozenset[int]:
    """The ids after which an answer is over, by generation_config.json and config.json."""
    found: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        told = files.json_object(path).get("eos_token_id") if path.exists() else None
        ids = told if isinstance(told, list) else [told]
        found |= {i for i in ids if isinstance(i, int) and not isinstance(i, bool)}
    return frozenset(found)


def save(
    folder: Path | str,
    config: LlamaConfig,
    params: Tree,
    *,
    ends: Iterable[int] = (),
    start: int | None = None,
    others: Mapping[str, bytes] | None = None,
) -> None:
    """Write a model as a directory that `transformers` loads, in the dtype of its parameters.

    `ends` are the ids after which an answer is over, `start` the id every text begins with, `others` files that are
    written as they are (a tokenizer's). Each file is whole or not there. Raises FileError.
    """
    folder = Path(folder)
    named = tree.named(params)
    _check(folder, named, config)
    dtype = np.asarray(named["emb.w"][:0]).dtype
    about = hf_config.to_json(config, folder) | {"dtype": dtype.name, "torch_dtype": dtype.name}
    about |= {"bos_token_id": start, "eos_token_id": sorted(ends) or None, "pad_token_id": None}
    generation = {key: about[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    texts = {"config.json": about, "generation_config.json": {"_from_model_config": True} | generation}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, f"cannot be written: {error.strerror}") from None
    called = names.theirs(config, names.HUGGING_FACE)
    ours = {theirs: name for name, theirs in called.items()}
    shapes = params_map.names(config)
    lying = {called[n]: shape[::-1] if names.turned(n) else shape for n, shape in shapes.items()}
    tensors.write(
        folder / SINGLE, lying, dtype, lambda theirs: _strips(named[ours[theirs]], names.turned(ours[theirs]))
    )
    written = {Path(name).name: body for name, body in (others or {}).items()}
    written |= {name: json.dumps(told, indent=2).encode() + b"\n" for name, told in texts.items()}
    for name, body in written.items():
        tensors.replaced(folder / name, partial(_whole, body))


def _whole(body: bytes, file: BinaryIO) -> None:
    file.write(body)


def _check(folder: Path, named: Mapping[str, Any], config: LlamaConfig) -> None:
    wanted = params_map.names(config)
    wrong = [f"{name} is missing" for name in wanted if name not in named]
    wrong += [f"{name!r} is unknown" for name in named if name not in wanted]
    wrong += [
        f"{name} has shape {tuple(named[name].shape)}, not {shape}"
        for name, shape in wanted.items()
        if name in named and tuple(named[name].shape) != shape
    ]
    if wrong:
        raise FileError.of(folder, wrong, "cannot be written: ")


def _strips(array: Any, turned: bool) -> Iterator[Array]:
    """The rows that lie in the file, some at a time: a transposed copy of the whole would double the memory."""
    rows = array.shape[1] if turned else array.shape[0]
    step = max(1, filling.STRIP // max(1, int(np.prod(array.shape)) // rows))
    for start in range(0, rows, step):
        part = array[:, start : start + step].T if turned else array[start : start + step]
        yield np.asarray(part)


def _stored(folder: Path) -> dict[str, Stored]:
    """Every tensor of a directory, by name. A single file goes before an index, as it does for `transformers`."""
    if (folder / SINGLE).exists() or not (folder / INDEX).exists():
        if not (folder / SINGLE).exists() and any(folder.glob("pytorch_model*.bin")):
            raise FileError(folder, "holds pickled weights, which could run any program; take its safetensors")
        return tensors.stored(folder / SINGLE)
    path = folder / INDEX
    told = files.json_object(path).get("weight_map")
    if not isinstance(told, dict) or not all(isinstance(name, str) for name in told.values()):
        raise FileError(path, "has no weight_map from tensors to files")
    parts = sorted(set(told.values()))
    for part in parts:
        # a name with a folder in it could be any file of this machine
        if part in ("", ".", "..") or any(sign in part for sign in "/\\\0") or Path(part).name != part:
            raise FileError(path, f"points outside its directory: {part!r}")
    shards = {part: tensors.stored(folder / part) for part in parts}
    wrong = [f"{name} is not in {part}" for name, part in told.items() if name not in shards[part]]
    wrong += [f"{name!r} of {part} is not in the index" for part in parts for name in shards[part] if name not in told]
    if wrong:
        raise FileError.of(path, wrong)
    return {name: shards[part][name] for name, part in told.items()}


def _without_extras(folder: Path, found: Mapping[str, Stored], config: LlamaConfig) -> dict[str, Stored]:
    """Without what old files keep though it can be computed, and without the copy of a tied embedding."""
    kept = {name: tensor for name, tensor in found.items() if not name.endswith(".rotary_emb.inv_freq")}
    head, embedding = kept.get("lm_head.weight"), kept.get("model.embed_tokens.weight")
    if config.tied and head is not None and embedding is not None:
        if not _same(head, embedding):
            raise FileError(folder, "has a head of its own, lm_head.weight, though its configuration says it is tied")
        del kept["lm_head.weight"]
    return kept


def _same(one: Stored, other: Stored) -> bool:
    if one.shape != other.shape or len(one.shape) != 2:
        return False
    step = max(1, filling.STRIP // max(1, one.shape[1]))
    starts = range(0, one.shape[0], step)
    return all(
        np.array_equal(one.rows(i, min(i + step, one.shape[0])), other.rows(i, min(i + step, one.shape[0])))
        for i in starts
    )
