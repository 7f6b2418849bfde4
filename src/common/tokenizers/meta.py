"""Meta's own file for LLaMA 3, tokenizer.model: a token in base64 and its rank on each line, run by `tiktoken`.

The special tokens are not in the file; their names and places are Meta's (Grattafiori et al. 2024, llama-models).
"""

import base64
import binascii
import re
from functools import partial
from typing import Any

from common.errors import UserError
from common.optional import package
from common.tokenizers.base import Tokenizer

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
_NAMED = [BEGIN, END, "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>"]
_NAMED += ["<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>"]
_NAMED += ["<|python_tag|>"]
SPECIAL = _NAMED + [f"<|reserved_special_token_{i}|>" for i in range(3, 3 + 256 - len(_NAMED))]
_LONGEST_RUN = 25_000
_RUN = re.compile(rf"\s{{{_LONGEST_RUN}}}|\S{{{_LONGEST_RUN}}}")


def tokenizer_of(body: bytes) -> Tokenizer:
    """A Tokenizer from the bytes of a tokenizer.model. Raises UserError, without the name of the file."""
    ranks = _ranks(body)
    special = {name: len(ranks) + i for i, name in enumerate(SPECIAL)}
    inner = package("tiktoken", "reading Meta's tokenizer").Encoding(
        "llama3", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special
    )
    return Tokenizer(
        [*ranks, *(name.encode() for name in SPECIAL)],
        special,
        plain=partial(_encoded, inner, set()),
        marked=partial(_encoded, inner, set(SPECIAL)),
        bos=special[BEGIN],
        eos=special[END],
        opens=True,
        files={"tokenizer.model": body},
    )


def _ranks(body: bytes) -> dict[bytes, int]:
    try:
        lines = [line.split() for line in body.splitlines() if line]
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
    except (ValueError, binascii.Error):
        raise UserError("is no tiktoken vocabulary (SentencePiece models are read from their tokenizer.json)") from None
    if list(ranks.values()) != list(range(len(lines))) or not all(bytes([byte]) in ranks for byte in range(256)):
        raise UserError("is a damaged tiktoken vocabulary: ranks or single bytes are missing")
    return ranks


def _encoded(inner: Any, allowed: set[str], text: str) -> list[int]:
    """Long runs without a change between space and no space are cut, as Meta does: they would take hours."""
    stops = [match.end() for match in _RUN.finditer(text)]
    parts = [text[a:b] for a, b in zip([0, *stops], [*stops, len(text)], strict=True)]
    return [i for part in parts for i in inner.encode(part, allowed_special=allowed, disallowed_special=())]
