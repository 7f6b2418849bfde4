"""Where chat templates are found: beside a tokenizer, and in the metadata of a GGUF file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import files
from common.chat_template.template import ChatTemplate
from common.files import FileError
from common.tokenizers import Tokenizer
from common.tokenizers.read import token_name

_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


def from_folder(folder: Path | str) -> ChatTemplate | None:
    """The template of a Hugging Face directory; None if it has none.

    It stands in chat_template.jinja, or else in tokenizer_config.json, alone or as the one called "default" of many.
    """
    folder = Path(folder)
    settings = folder / "tokenizer_config.json"
    told = files.json_object(settings) if settings.exists() else {}
    names = {key: token_name(told.get(key)) for key in _TOKENS}
    tokens = {key: name for key, name in names.items() if name}
    if (folder / "chat_template.jinja").exists():
        return ChatTemplate(files.text(folder / "chat_template.jinja"), tokens)
    found = told.get("chat_template")
    if isinstance(found, list):
        several = {each.get("name"): each.get("template") for each in found if isinstance(each, dict)}
        found = several.get("default")
    if found is not None and not isinstance(found, str):
        raise FileError(settings, "has a chat_template that is no text")
    return ChatTemplate(found, tokens) if found else None


def from_gguf(path: Path | str, metadata: Mapping[str, Any], tokenizer: Tokenizer) -> ChatTemplate | None:
    """The template in a GGUF file's metadata; None if there is none."""
    found = metadata.get("tokenizer.chat_template")
    if found is not None and not isinstance(found, str):
        raise FileError(path, "has a tokenizer.chat_template that is no text")
    ids = {"bos_token": tokenizer.bos, "eos_token": tokenizer.eos}
    tokens = {key: tokenizer.pieces[i].decode() for key, i in ids.items() if i is not None}
    return ChatTemplate(found, tokens) if found else None
