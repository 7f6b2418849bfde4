"""The tokenizer inside a GGUF file, written as a tokenizer.json.

GGUF keeps tokens, their kinds, and either merges (byte-level BPE, "gpt2") or scores (SentencePiece, "llama"). How text
is cut into words before it is cut into tokens is only named, and the names stand here; a file with another name is
refused, since a model that reads its text cut otherwise than in training answers worse without anybody noticing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from common.errors import UserError
from common.tokenizers.meta import PATTERN as LLAMA_3

_NORMAL, _UNKNOWN, _CONTROL, _USER, _BYTE = 1, 2, 3, 4, 6
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_CUTS: dict[str, list[dict[str, Any]]] = {
    "gpt-2": [_BYTES],
    "smollm": [{"type": "Digits", "individual_digits": True}, _BYTES],
    "llama-bpe": [
        {"type": "Split", "pattern": {"Regex": LLAMA_3}, "behavior": "Isolated", "invert": False},
        _BYTES | {"use_regex": False},
    ],
}
_CUTS |= {"llama3": _CUTS["llama-bpe"], "llama-v3": _CUTS["llama-bpe"], "starcoder": _CUTS["smollm"]}


def as_json(metadata: Mapping[str, Any]) -> str:
    """A tokenizer.json of what the metadata of a GGUF file tell. Raises UserError, without the name of the file."""
    kind = str(metadata.get("tokenizer.ggml.model"))
    tokens, kinds = _vocabulary(metadata)
    if kind == "gpt2":
        told = _byte_level(metadata, tokens)
    elif kind == "llama":
        told = _sentence_piece(metadata, tokens, kinds)
    else:
        raise UserError(f"holds a tokenizer of the kind {kind[:40]!r}; 'gpt2' and 'llama' can be read")
    added = [
        {"id": i, "content": tokens[i], "special": kinds[i] != _USER, "normalized": False}
        | {"single_word": False, "lstrip": False, "rstrip": False}
        for i in range(len(tokens))
        if kinds[i] in (_CONTROL, _USER, _UNKNOWN)
    ]
    return json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": added} | told)


def opens(metadata: Mapping[str, Any]) -> bool:
    """Whether the model is used to texts that open with its beginning token."""
    usual = str(metadata.get("tokenizer.ggml.model")) == "llama" or _cut(metadata) is _CUTS["llama-bpe"]
    return bool(metadata.get("tokenizer.ggml.add_bos_token", usual))


def opening(token: str, token_id: int) -> dict[str, Any]:
    """What in a tokenizer.json says that texts open with this token."""
    first, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    pair = [first, text, {"SpecialToken": {"id": token, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    known = {token: {"id": token, "ids": [token_id], "tokens": [token]}}
    return {"type": "TemplateProcessing", "single": [first, text], "pair": pair, "special_tokens": known}


def _vocabulary(metadata: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens:
        raise UserError("holds no tokenizer")
    if len(set(tokens)) < len(tokens):
        raise UserError("holds a damaged tokenizer: a token is there twice")
    kinds = _numbers(metadata, "token_type", len(tokens)) or [_NORMAL] * len(tokens)
    return tokens, kinds


def _numbers(metadata: Mapping[str, Any], name: str, count: int) -> list:
    """One number for each token, or an empty list if the file has none."""
    found = metadata.get(f"tokenizer.ggml.{name}")
    if found is None:
        return []
    if isinstance(found, (str, list)) or getattr(found, "shape", None) != (count,):
        raise UserError(f"holds a damaged tokenizer: its {name} does not belong to {count} tokens")
    return found.tolist()


def _cut(metadata: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    name = metadata.get("tokenizer.ggml.pre")
    return _CUTS.get(name) if isinstance(name, str) else None


def _byte_level(metadata: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    cut, merges = _cut(metadata), metadata.get("tokenizer.ggml.merges")
    if cut is None:
        name = str(metadata.get("tokenizer.ggml.pre"))[:40]
        raise UserError(f"holds a tokenizer that cuts words in the way {name!r}; known are {', '.join(_CUTS)}")
    pairs = [merge.split(" ") for merge in merges] if isinstance(merges, list) else []
    vocabulary = {token: i for i, token in enumerate(tokens)}
    for pair in pairs:
        if len(pair) != 2 or not {*pair, "".join(pair)} <= vocabulary.keys():
            raise UserError(f"holds a damaged tokenizer: its merge {' '.join(pair)[:40]!r} is no pair of tokens")
    model = _model(vocabulary, pairs) | {"ignore_merges": cut is _CUTS["llama-bpe"]}
    return {
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cut},
        "post_processor": None,
        "decoder": _BYTES | {"add_prefix_space": True},
        "model": model,
    }


def _sentence_piece(metadata: Mapping[str, Any], tokens: Sequence[str], kinds: Sequence[int]) -> dict[str, Any]:
    scores = _numbers(metadata, "scores", len(tokens))
    if not scores:
        raise UserError("holds a damaged tokenizer: its tokens have no scores")
    vocabulary = {token: i for i, token in enumerate(tokens)}
    prefix = bool(metadata.get("tokenizer.ggml.add_space_prefix", True))
    normal = {token: scores[i] for i, token in enumerate(tokens) if kinds[i] == _NORMAL}
    unknown = next((token for i, token in enumerate(tokens) if kinds[i] == _UNKNOWN), None)
    model = _model(vocabulary, _merges(normal))
    model |= {"byte_fallback": True, "fuse_unk": True, "unk_token": unknown}
    steps = [{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
    back = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
    return {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}] * prefix + steps},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": back + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] * prefix,
        },
        "model": model,
    }


def _merges(scores: Mapping[str, float]) -> list[list[str]]:
    """Every way to put a token together from two others, the best token first.

    SentencePiece joins the neighbours whose union has the highest score; BPE joins them in the order of a list. The
    list in the order of the scores does the same.
    """
    ways = [
        (-score, -cut, len(token) - cut, token[:cut], token[cut:])
        for token, score in scores.items()
        for cut in range(1, len(token))
        if token[:cut] in scores and token[cut:] in scores
    ]
    return [[left, right] for *_, left, right in sorted(ways)]


def _model(vocabulary: Mapping[str, int], merges: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocabulary,
        "merges": merges,
    }
