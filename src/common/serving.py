"""Continuous batching: who waits, who has a slot, who is done. What is computed in the slots is the twins' affair.

A batch of `generate` ends with its longest answer; until then the places of the others stand empty. Here they do not:
there are some slots, each at its own place in its own text, and as soon as an answer ends, its slot is given to whoever
waits. What a request is answered depends on nothing but itself.

Yu et al. 2022 (Orca).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from typing import NamedTuple

import numpy as np

from common import sampling as shared
from common import slots
from common.config import GPTConfig, LlamaConfig, ModelConfig
from common.config.checks import require
from common.errors import UserError
from common.sampling import Request, Sampling
from common.slots import Rows, Slots
from common.types import AnyArray, Key

LINE = 256
"""How many requests are looked at before there is a slot for them; more wait where they come from."""


@dataclass(frozen=True)
class Ask:
    """One request: token ids to go on from, how, and the key that tokens are drawn with; greedy ones need none.

    The answer is that of `generate` to `[prompt]` with `key[None]`, a key for each row.
    """

    prompt: Sequence[int]
    sampling: Sampling
    key: Key | None = None


class Piece(NamedTuple):
    """What has come of one request."""

    request: int
    """Its number, in the order in which they came, from 0."""
    tokens: list[int]
    """Those that its answer has grown by; the end token is not among them."""
    finished: bool
    """Whether this is its last piece."""
    refused: str = ""
    """Why it cannot be answered, a sentence; empty where it can."""


Join = Callable[[Slots, Request, Rows, int], tuple[Slots, AnyArray]]
"""Read a prompt into the slot of that number: the new state, and the answer's first token."""
Step = Callable[[Slots], tuple[Slots, AnyArray]]
"""Go on in all slots: the new state, and the new tokens, (steps, B), -1 where there was nothing to say."""


@dataclass
class _Answer:
    number: int
    ask: Ask
    length: int = 0

    def grown(self, chosen: list[int]) -> Piece:
        """By the tokens chosen for it, of which those from its end on do not count."""
        tokens = shared.answer(chosen, self.ask.sampling.ends)
        self.length += len(tokens)
        full = self.length == self.ask.sampling.max_new_tokens
        return Piece(self.number, tokens, full or len(tokens) < len(chosen))


def run(
    asks: Iterable[Ask | None],
    state: Slots,
    *,
    join: Join,
    step: Step,
    model: GPTConfig | LlamaConfig,
    size: int,
    width: Callable[[int], int] = int,
) -> Iterator[list[Piece]]:
    """What each step has brought, until nobody comes any more and all are answered; [] while nobody is there.

    A step reads one prompt, padded to `width(its length)`, into a free slot, first come, first served; or goes on in
    all slots.
    """
    coming, line = _numbered(asks), deque[_Answer]()
    free, busy = deque(range(len(state.rows.active))), dict[int, _Answer]()
    may_come = True
    while may_come or line or busy:
        may_come, refused = _let_in(coming, line, model, size)
        if refused:
            yield refused
        if line and free:
            answer, slot = line.popleft(), free.popleft()
            begun = shared.padded([answer.ask.prompt], model=model, width=lambda n: min(width(n), size))
            state, token = join(state, begun, slots.row(answer.ask.sampling, answer.ask.key, begun), slot)
            busy[slot] = answer
            pieces = {slot: answer.grown([int(token)])}
        elif busy:
            state, chosen_LB = step(state)
            said = np.asarray(chosen_LB).T.tolist()
            pieces = {slot: answer.grown(said[slot]) for slot, answer in busy.items()}
        else:
            pieces = {}
        if pieces or (may_come and not refused):
            yield list(pieces.values())
        done = [slot for slot, piece in pieces.items() if piece.finished]
        for slot in done:
            del busy[slot]
        free.extend(done)


def _numbered(asks: Iterable[Ask | None]) -> Iterator[_Answer | None]:
    number = 0
    for ask in asks:
        yield None if ask is None else _Answer(number, ask)
        number += ask is not None


def _let_in(
    coming: Iterator[_Answer | None], line: deque[_Answer], model: GPTConfig | LlamaConfig, size: int
) -> tuple[bool, list[Piece]]:
    """Let all who have come join the line; whether more may come, and those who cannot be answered."""
    refused: list[Piece] = []
    for _ in range(LINE - len(line)):
        try:
            answer = next(coming)
        except StopIteration:
            return False, refused
        if answer is None:
            break
        why = _refusal(answer.ask, model, size)
        if why:
            refused.append(Piece(answer.number, [], True, why))
        else:
            line.append(answer)
    return True, refused


def _refusal(ask: Ask, model: GPTConfig | LlamaConfig, size: int) -> str:
    """Why a request cannot be answered, or nothing."""
    length, new = len(ask.prompt), ask.sampling.max_new_tokens
    try:
        shared.check_tokens(ask.prompt, model.vocab, model.max_len, "the prompt")
        shared.check_ends(ask.sampling.end_token, model.vocab)
        require(ask.key is None or np.shape(ask.key) == (2,), "a request has one key, two words (common.random.key)")
        shared.row_keys(ask.key, 1, ask.sampling)
        most = size - length
        advice = f"set max_new_tokens to at most {most}" if most > 0 else "shorten the prompt"
        require(new <= most, f"{length} tokens and {new} new ones do not fit into a slot of {size}: {advice}")
    except UserError as error:
        return str(error)
    return ""


def check(model: ModelConfig, *, slots: int, size: int, stride: int) -> None:
    """Raises UserError for slots that cannot be."""
    if not isinstance(model, (GPTConfig, LlamaConfig)):
        raise UserError("slots are for a decoder alone, gpt or llama: ask other models with generate")
    for name, value in (("slots", slots), ("size", size), ("stride", stride)):
        ok = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        require(ok, f"{name} must be a whole number of at least 1, not {value!r}")
    require(size <= model.max_len, f"slots of {size} tokens are longer than the model's {model.max_len} positions")


def arrivals(queue: Queue) -> Iterator[Ask | None]:
    """What others put into a queue, as `serve` takes it, None where there is nothing now. None in the queue ends it."""
    while True:
        try:
            ask = queue.get_nowait()
        except Empty:
            yield None
            continue
        if ask is None:
            return
        yield ask
