"""Where tokenizers are found: in a Hugging Face directory, in Meta's, and in the metadata of a GGUF file."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError
from common.files import FileError
from common.tokenizers import backend, meta, vocabularies
from common.tokenizers.base import Tokenizer

_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""Files that belong to a tokenizer.json and travel with it."""


def from_folder(folder: Path | str) -> Tokenizer | None:
    """The tokenizer of a directory: its tokenizer.json or Meta's tokenizer.model; None if it has neither.

    Raises FileError for a file that cannot be read, UserError for a package that is missing.
    """
    folder = Path(folder)
    path = folder / "tokenizer.json"
    if path.exists():
        return _hugging_face(path, _settings(folder))
    path = folder / "tokenizer.model"
    if not path.exists():
        return None
    body = files.content(path)
    try:
        return meta.tokenizer_of(body)
    except UserError as error:
        raise FileError(path, str(error)) from None


def from_gguf(path: Path | str, metadata: Mapping[str, Any]) -> Tokenizer | None:
    """The tokenizer in a GGUF file's metadata; None if there is none. Raises as `from_folder`."""
    if "tokenizer.ggml.model" not in metadata:
        return None
    try:
        text = vocabularies.as_json(metadata)
        ids = {name: _id(metadata, name) for name in ("bos", "eos")}
        found = backend.tokenizer_of(text, opens=vocabularies.opens(metadata), **ids)
    except UserError as error:
        raise FileError(path, str(error)) from None
    return replace(found, files=_files(json.loads(text), found, metadata.get("tokenizer.chat_template")))


def _id(metadata: Mapping[str, Any], name: str) -> int | None:
    found, count = metadata.get(f"tokenizer.ggml.{name}_token_id"), len(metadata["tokenizer.ggml.tokens"])
    if found is not None and not (isinstance(found, int) and 0 <= found < count):
        raise UserError(f"holds a damaged tokenizer: its {name} token is no token of {count}")
    return found


def _files(told: dict[str, Any], found: Tokenizer, template: Any) -> dict[str, bytes]:
    """The files of a Hugging Face tokenizer that does the same."""
    names = {
        key: found.pieces[i].decode()
        for key, i in (("bos_token", found.bos), ("eos_token", found.eos))
        if i is not None
    }
    if found.opens and found.bos is not None:
        told = told | {"post_processor": vocabularies.opening(names["bos_token"], found.bos)}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False} | names
    if isinstance(template, str):
        settings["chat_template"] = template
    return {
        "tokenizer.json": json.dumps(told).encode(),
        "tokenizer_config.json": json.dumps(settings, indent=2).encode(),
    }


def _settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, and what special_tokens_map.json says beside it."""
    found: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).exists():
            found |= {key: value for key, value in files.json_object(folder / name).items() if value is not None}
    return found


def _hugging_face(path: Path, settings: Mapping[str, Any]) -> Tokenizer:
    text = files.text(path)
    beside = {name: files.content(path.parent / name) for name in _BESIDE if (path.parent / name).exists()}
    try:
        found = backend.tokenizer_of(text, files=beside)
    except UserError as error:
        raise FileError(path, str(error)) from None
    every = {**found.special, **found.added}
    bos, eos = (every.get(token_name(settings.get(f"{name}_token"))) for name in ("bos", "eos"))
    said = settings.get("add_bos_token")
    opens = said if isinstance(said, bool) else bos is not None and _opened(json.loads(text), found, bos)
    return replace(found, bos=bos, eos=eos, opens=opens)


def token_name(told: Any) -> str:
    """A special token as tokenizer_config.json has it: its name, or an object with its content; empty if neither."""
    name = told.get("content") if isinstance(told, dict) else told
    return name if isinstance(name, str) else ""


def _opened(told: Mapping[str, Any], found: Tokenizer, bos: int) -> bool:
    """Whether the post-processor of a tokenizer.json puts this token before a text."""
    name = found.pieces[bos].decode()
    parts = [told.get("post_processor") or {}]
    parts += [part for part in parts[0].get("processors", []) if isinstance(part, dict)]
    firsts = [part["single"][0] for part in parts if isinstance(part.get("single"), list) and part["single"]]
    return {"SpecialToken": {"id": name, "type_id": 0}} in firsts
