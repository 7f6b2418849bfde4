"""How the next token is chosen, and what can be checked before a model sees anything: the same for both twins."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from common import random
from common.config import GPTConfig, LlamaConfig, Seq2SeqConfig
from common.config.checks import require
from common.errors import UserError
from common.types import AnyArray, Array, Key

SequenceConfig = GPTConfig | LlamaConfig | Seq2SeqConfig


GREEDY, DRAWN, FILTERED = range(3)


@dataclass(frozen=True)
class Sampling:
    """Settings of generation. They act in this order, each on what the one before has left:

    repetition_penalty  tokens that the text already holds: a logit above zero is divided by it, one below multiplied
                        (Keskar et al. 2019); 1 does nothing
    temperature         logits are divided by it; 0 takes the most probable token and needs no key
    top_k               only the k most probable tokens; 0 means all
    top_p               only the most probable tokens that together reach the probability p; 1 means all
    min_p               only tokens at least min_p times as probable as the most probable; 0 means all

    Among equally probable tokens the one with the smaller id comes first. Generation ends after `max_new_tokens`, or at
    `end_token` (of a tuple: at any of them), which is not part of the answer. Every value is checked; an error
    (UserError) names it.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_new_tokens: int = 32
    end_token: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            require(number, f"{name} must be a number, not {value!r}")
        for name, least in (("top_k", 0), ("max_new_tokens", 1)):
            value = getattr(self, name)
            ok = _whole(value) and value >= least
            require(ok, f"{name} must be a whole number of at least {least}, not {value!r}")
        warm = self.temperature == 0 or self.temperature >= 1e-6  # a logit divided by less may be infinite
        require(warm, f"temperature must be 0 or at least 0.000001, not {self.temperature!r}")
        require(0 < self.top_p <= 1, f"top_p must be above 0 and at most 1, not {self.top_p!r}")
        require(0 <= self.min_p <= 1, f"min_p must be from 0 to 1, not {self.min_p!r}")
        mild = 0.01 <= self.repetition_penalty <= 100
        require(mild, f"repetition_penalty must be from 0.01 to 100, not {self.repetition_penalty!r}")
        ok = all(_whole(end) and end >= 0 for end in _several(self.end_token))
        require(ok, f"end_token must be a token id, a tuple of token ids or None, not {self.end_token!r}")

    @property
    def ends(self) -> tuple[int, ...]:
        """The end tokens; where there are none (-1,), which no token equals."""
        return _several(self.end_token) or (-1,)

    @property
    def level(self) -> int:
        """What choosing takes: GREEDY, DRAWN, or FILTERED, where tokens are ruled out first."""
        if self.temperature == 0:
            return GREEDY
        return FILTERED if self.top_k > 0 or self.top_p < 1 or self.min_p > 0 else DRAWN


def _whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _several(end_token: int | tuple[int, ...] | None) -> tuple[int, ...]:
    if end_token is None:
        return ()
    return end_token if isinstance(end_token, tuple) else (end_token,)


class Settings(NamedTuple):
    """The settings of each row of a batch as arrays, (B, 1)."""

    level: AnyArray
    temperature: AnyArray
    """1 where the most probable token is taken."""
    top_k: AnyArray
    top_p: AnyArray
    min_p: AnyArray
    repetition_penalty: AnyArray


def settings(samplings: Sequence[Sampling], vocab: int) -> Settings:
    """The settings of a row for each of `samplings`, to choose among `vocab` tokens."""
    rows = [
        (s.level, s.temperature or 1.0, s.top_k or vocab, s.top_p, s.min_p, s.repetition_penalty) for s in samplings
    ]
    kinds = (np.int32, np.float64, np.int32, np.float64, np.float64, np.float64)
    columns = zip(*rows, strict=True)
    return Settings(*(np.array(column, kind)[:, None] for column, kind in zip(columns, kinds, strict=True)))


class Request(NamedTuple):
    """Texts as a model reads them: B rows, padded at the end to T places, and their sources where it has an encoder."""

    tokens: AnyArray
    """Token ids, int32, (B, T)."""
    lengths: AnyArray
    """How many of them are real, int32, (B,)."""
    seen: AnyArray
    """Which tokens the text holds, bool, (B, V)."""
    src: AnyArray = None
    """Sources, int32, (B, S); None where there is no encoder."""
    src_mask: AnyArray = None
    """True where a source's token is real, bool, (B, S)."""


class Kept(NamedTuple):
    """What a model keeps of one text that it has read: another one that begins like it is read from there on."""

    tokens: Sequence[int]
    cache: dict[str, Any]
    """Of a decoder alone, with the keys and values of all `tokens`."""


class Step(NamedTuple):
    """What one step of generation chose."""

    tokens: list[int | None]
    """Each sequence's new token, the end token included; None where the sequence had ended before."""
    candidates: list[list[tuple[int, float]]]
    """Each sequence's most probable next tokens, best first, with the probability that the model gave them, before
    temperature and all else. Empty where the sequence had ended before."""
    cache: dict[str, Any]
    """What the model keeps of all tokens before these. The next step may write over it."""


class Hypothesis(NamedTuple):
    """One answer that beam search found."""

    tokens: list[int]
    """Without the end token."""
    log_probability: float
    """Of the whole answer, in nats, its end token included."""
    score: float
    """log_probability / length ** length_penalty, where the end token counts as one."""
    ended: bool
    """Whether it ended by itself."""


class Beams(NamedTuple):
    """The W best answers so far to each of B sources."""

    tokens: AnyArray
    """Token ids, int32, (B, W, L); -1 where there is none yet."""
    log_p: AnyArray
    """The log-probability of each, nats, (B, W); -inf where there are not so many answers."""
    length: AnyArray
    """Their tokens, the end token included, int32, (B, W)."""
    ended: AnyArray
    """Whether the end token has come, bool, (B, W)."""


def request(
    prompts: Sequence[Sequence[int]],
    *,
    model: SequenceConfig,
    max_new_tokens: int,
    start_token: int | None = None,
    end_token: int | tuple[int, ...] | None = None,
    width: Callable[[int], int] = int,
) -> tuple[Request, int]:
    """What `max_new_tokens` will be added to, padded to `width(longest)`, and the room that takes, `width(of it all)`.

    A decoder alone goes on from its prompts; an encoder-decoder takes them for sources and begins every answer with
    `start_token`. Raises UserError for what no model could read: no prompt, an empty one, a token id outside the
    vocabulary, a start token missing or out of place, and more tokens than the model has positions.
    """
    if isinstance(model, Seq2SeqConfig):
        if start_token is None:
            raise UserError("an encoder-decoder needs a start token for its answers: set start_token")
        check_tokens([start_token], model.tgt_vocab, 1, "start_token")
        begun = padded([[start_token]] * len(prompts), model=model, sources=prompts, width=width)
    else:
        require(start_token is None, "a decoder alone goes on from its prompt: leave out start_token")
        begun = padded(prompts, model=model, width=width, what="prompt")
    check_ends(end_token, _vocabulary(model))
    longest = int(begun.lengths.max())
    most = model.max_len - longest
    require(
        max_new_tokens <= most,
        f"{longest} tokens and {max_new_tokens} new ones do not fit into the model's {model.max_len} positions: "
        + (f"set max_new_tokens to at most {most}" if most > 0 else "shorten the prompt"),
    )
    return begun, min(width(longest + max_new_tokens), model.max_len)


def shared_beginning(kept: Kept | None, prompt: Sequence[int]) -> int:
    """How many tokens of a prompt need not be read, because they are kept. Its last one always is: it is answered."""
    if kept is None:
        return 0
    pairs = enumerate(zip(kept.tokens, prompt[:-1], strict=False))
    return next((i for i, (old, new) in pairs if old != new), min(len(kept.tokens), len(prompt) - 1))


def rest(begun: Request, kept: Kept, width: Callable[[int], int] = int) -> tuple[Request, int]:
    """The part of the one text in `begun` that is not kept, padded to `width` of its length, and where it begins.

    Raises UserError where there are several texts, or one with a source.
    """
    require(
        len(begun.tokens) == 1 and begun.src is None, "what is kept is of one text: ask a decoder alone, one prompt"
    )
    text = begun.tokens[0, : begun.lengths[0]].tolist()
    start = shared_beginning(kept, text)
    tokens_1T = np.zeros((1, width(len(text) - start)), np.int32)
    tokens_1T[0, : len(text) - start] = text[start:]
    return Request(tokens_1T, begun.lengths - start, begun.seen), start


def padded(
    texts: Sequence[Sequence[int]],
    *,
    model: SequenceConfig,
    sources: Sequence[Sequence[int]] | None = None,
    width: Callable[[int], int] = int,
    what: str = "text",
) -> Request:
    """Texts, and for an encoder-decoder their sources, checked and padded. Raises UserError as `request` does."""
    require(len(texts) > 0, "there is no text: give at least one")
    vocab = _vocabulary(model)
    tokens_BT, lengths_B = _pad(texts, vocab, model.max_len, width, what)
    seen_BV = np.zeros((len(texts), vocab), bool)
    for row, text in enumerate(texts):
        seen_BV[row, list(text)] = True
    if not isinstance(model, Seq2SeqConfig):
        require(sources is None, "a decoder alone reads no sources: leave them out")
        return Request(tokens_BT, lengths_B, seen_BV)
    found = -1 if sources is None else len(sources)
    require(found == len(texts), f"an encoder-decoder needs one source for each of {len(texts)} texts")
    src_BS, src_lengths_B = _pad(sources or [], model.src_vocab, model.max_len, width, "source")
    return Request(tokens_BT, lengths_B, seen_BV, src_BS, np.arange(src_BS.shape[1]) < src_lengths_B[:, None])


def _vocabulary(model: SequenceConfig) -> int:
    """How many tokens the model can name."""
    return model.tgt_vocab if isinstance(model, Seq2SeqConfig) else model.vocab


def _pad(
    texts: Sequence[Sequence[int]], vocab: int, max_len: int, width: Callable[[int], int], what: str
) -> tuple[Array, Array]:
    for number, text in enumerate(texts, start=1):
        check_tokens(text, vocab, max_len, f"{what} {number}")
    lengths_B = np.array([len(text) for text in texts], np.int32)
    tokens_BT = np.zeros((len(texts), min(width(int(lengths_B.max())), max_len)), np.int32)
    for row, text in enumerate(texts):
        tokens_BT[row, : len(text)] = text
    return tokens_BT, lengths_B


def check_tokens(tokens: Sequence[int], vocab: int, max_len: int, what: str) -> None:
    require(len(tokens) > 0, f"{what} is empty: give it at least one token")
    require(len(tokens) <= max_len, f"{what} has {len(tokens)} tokens, the model {max_len} positions: shorten it")
    for token in tokens:
        ok = _whole(token) and 0 <= token < vocab
        require(ok, f"{what} holds {token!r}, which is no token id: ids go from 0 to {vocab - 1}")


def bucket(length: int) -> int:
    """The next power of two, at least 8: what a compiled program's sizes are rounded up to."""
    return max(8, 1 << (length - 1).bit_length())


def check_ends(end_token: int | tuple[int, ...] | None, vocab: int) -> None:
    """Raises UserError for an end token outside the vocabulary."""
    for end in _several(end_token):
        check_tokens([end], vocab, 1, "end_token")


def row_keys(key: Key | None, rows: int, sampling: Sampling) -> Array:
    """A key for each row, (B, 2): `fold_in(key, row)`, or `key` itself where it holds a key for each row already.

    Raises UserError where the settings ask for chance and there is no key, or keys for another number of rows.
    """
    if key is None:
        require(sampling.temperature == 0, f"sampling at temperature {sampling.temperature:g} needs a key")
        return np.zeros((rows, 2), np.uint32)
    if np.ndim(key) == 1:
        return np.stack([random.fold_in(key, row) for row in range(rows)])
    require(np.shape(key) == (rows, 2), f"there are {len(key)} keys for {rows} prompts: give one, or one for each")
    return np.asarray(key)


def candidates(probabilities_BV: Array, n: int) -> list[list[tuple[int, float]]]:
    """The `n` most probable tokens of each row with their probabilities, best first, smaller ids first among equals."""
    if n == 0:
        return [[] for _ in probabilities_BV]
    order_BN = np.argsort(-probabilities_BV, axis=-1, kind="stable")[:, :n]
    picked_BN = np.take_along_axis(probabilities_BV, order_BN, axis=-1)
    return [list(zip(ids.tolist(), p.tolist(), strict=True)) for ids, p in zip(order_BN, picked_BN, strict=True)]


def step(tokens_B: Array, ended_B: Array, probabilities_BV: Array, n: int, cache: dict[str, Any]) -> Step:
    """What the caller of `stream` sees; `ended_B` and `cache` as they were before these tokens."""
    best = candidates(probabilities_BV, n)
    return Step(
        [None if ended else int(token) for token, ended in zip(tokens_B, ended_B, strict=True)],
        [[] if ended else row for row, ended in zip(best, ended_B, strict=True)],
        cache,
    )


def without_caches(steps: Iterable[Step]) -> list[Step]:
    """All steps, of each what it chose: a cache for every token would fill the memory."""
    return [step._replace(cache={}) for step in steps]


def answer(tokens: list[int], ends: tuple[int, ...]) -> list[int]:
    """The tokens up to the first of `ends` or, where it ended without one, up to the first -1."""
    return tokens[: next((i for i, token in enumerate(tokens) if token in (-1, *ends)), len(tokens))]


def no_beams(rows: int, width: int, length: int, dtype: DTypeLike) -> Beams:
    """The start of a search: one empty answer for each of `rows` sources."""
    log_p_BW = np.where(np.arange(width) == 0, 0.0, np.full((rows, width), -np.inf)).astype(dtype)
    tokens_BWL = np.full((rows, width, length), -1, np.int32)
    return Beams(tokens_BWL, log_p_BW, np.zeros((rows, width), np.int32), np.zeros((rows, width), bool))


def hypotheses(beams: Beams, *, end_token: int, length_penalty: float) -> list[list[Hypothesis]]:
    """The answers of a finished search, best first."""
    tokens_BWL, *figures = (np.asarray(part).tolist() for part in beams)
    return [
        [
            Hypothesis(answer(tokens, (end_token,)), log_p, log_p / length**length_penalty, ended)
            for tokens, log_p, length, ended in zip(*row, strict=True)
            if log_p > -math.inf
        ]
        for row in zip(tokens_BWL, *figures, strict=True)
    ]


def check_beams(width: int, max_new_tokens: int, length_penalty: float) -> None:
    """Raises UserError for settings that are no beam search."""
    for name, value in (("width", width), ("max_new_tokens", max_new_tokens)):
        require(_whole(value) and value >= 1, f"{name} must be a whole number of at least 1, not {value!r}")
    number = isinstance(length_penalty, (int, float)) and math.isfinite(length_penalty)
    require(number, f"length_penalty must be a number, not {length_penalty!r}")
