"""Tokenizers that the package `tokenizers` runs: any tokenizer.json of the LLaMA kind.

Two kinds are in use. Byte-level: every byte has a printable letter, and a token is a string of such letters (GPT-2,
LLaMA 3, SmolLM2). SentencePiece: a token is text with ▁ for a space, <0x0A> is a byte that no token holds (LLaMA 2).
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import Any

from common.errors import UserError
from common.optional import package
from common.tokenizers.base import Tokenizer

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def tokenizer_of(text: str, **about: Any) -> Tokenizer:
    """A Tokenizer from the text of a tokenizer.json; `about` are its other fields.

    Raises UserError, without the name of the file, if it is no such text or of another kind.
    """
    library = package("tokenizers", "reading a tokenizer")
    try:
        decoder = json.loads(text)["decoder"] or {"type": "none"}
        kind = json.dumps(decoder)
        inner = library.Tokenizer.from_str(text)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # what Rust calls its own
            raise
        raise UserError(f"is no tokenizer.json that can be read ({error})") from None
    files = {"tokenizer.json": text.encode()} | about.pop("files", {})
    if '"ByteLevel"' in kind:
        return _wrapped(inner, _byte_level(), files=files, **about)
    if '"ByteFallback"' in kind or '"Metaspace"' in kind:
        return _wrapped(inner, _sentence_piece, space=_strips(decoder), files=files, **about)
    raise UserError("is a tokenizer of another kind than LLaMA's: neither byte-level nor SentencePiece")


def _wrapped(inner: Any, piece: Callable[[str], bytes], **about: Any) -> Tokenizer:
    # what a file may ask for, and a model must not get: texts cut off or filled up, and cuts by chance
    inner.no_truncation()
    inner.no_padding()
    if getattr(inner.model, "dropout", None):
        inner.model.dropout = None
    vocabulary = inner.get_vocab(with_added_tokens=True)
    size = 1 + max(vocabulary.values(), default=-1)
    if size > 2 * len(vocabulary) + 1024:
        raise UserError(f"has {len(vocabulary)} tokens, but an id of {size - 1}: it is damaged")
    tokens = inner.get_added_tokens_decoder()
    pieces = [b""] * size
    for token, i in vocabulary.items():
        pieces[i] = token.encode() if i in tokens else piece(token)
    lock = Lock()
    return Tokenizer(
        pieces,
        special={token.content: i for i, token in tokens.items() if token.special},
        added={token.content: i for i, token in tokens.items() if not token.special},
        plain=partial(_encoded, inner, lock, True),
        marked=partial(_encoded, inner, lock, False),
        **about,
    )


def _encoded(inner: Any, lock: Lock, as_text: bool, text: str) -> list[int]:
    with lock:  # whether special tokens are recognised is a state of the library's object
        inner.encode_special_tokens = as_text
        return list(inner.encode(text, add_special_tokens=False).ids)


def _byte_level() -> Callable[[str], bytes]:
    """From a token's letters to its bytes: those that can be printed are themselves, the others follow from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    back = {byte: byte for byte in printable} | {256 + i: byte for i, byte in enumerate(others)}

    def piece(token: str) -> bytes:
        if all(ord(letter) in back for letter in token):
            return token.translate(back).encode("latin-1")
        return token.encode()

    return piece


def _sentence_piece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()


def _strips(decoder: Mapping[str, Any]) -> bool:
    """Whether decoding takes away the space at the beginning."""
    parts = decoder["decoders"] if decoder["type"] == "Sequence" else [decoder]
    return any(
        (part["type"] == "Strip" and part.get("start", 0) > 0)
        or (part["type"] == "Metaspace" and part.get("prepend_scheme", "always") != "never")
        for part in parts
    )
