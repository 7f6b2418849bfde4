"""Whoever answers: a model on a backend, with settings, and figures of how fast it was."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from common import memory, random, tree
from common.errors import UserError
from common.sampling import Kept, Sampling, Step, bucket, shared_beginning
from common.weights import Loaded
from console import backend, interrupts, pretrained
from console.asking import finite
from console.backend import Twin


@dataclass
class Figures:
    """How one answer came about."""

    read: int
    """Tokens of the conversation before it that had to be read."""
    kept: int
    """Those before them, which were in the cache still."""
    size: int
    """Tokens that the cache had room for."""
    limit: int
    """Tokens that the answer could have."""
    written: int = 0
    """Tokens that came, the end token included."""
    reading: float = 0.0
    """Seconds until the first of them, compiling included."""
    writing: float = 0.0
    """Seconds from the first to the last."""
    compiled: bool = False
    """Whether a program had to be compiled first."""
    ended: bool = False
    """Whether the model ended the answer by itself."""


@dataclass
class Speaker:
    model: Loaded
    """Its parameters are where the twin wants them."""
    twin: Twin
    sampling: Sampling
    """`max_new_tokens` is what an answer may have where the context has room for it."""
    seed: int = 0
    answers: int = 0
    """Since the seed was set: each answer draws with a key of its own."""
    last: Figures | None = None
    kept: Kept | None = None
    """What the model keeps of the conversation: the next answer begins where another conversation parts from it."""
    known: set[tuple[int, int, bool]] = field(default_factory=set)
    """The sizes of programs that have been compiled."""

    @classmethod
    def on(cls, model: Loaded, twin: Twin, sampling: Sampling, seed: int = 0) -> "Speaker":
        ended = replace(sampling, end_token=tuple(sorted(model.ends)) or None)
        return cls(pretrained.placed(model, twin), twin, ended, seed)

    @property
    def context(self) -> int:
        """How many tokens a conversation may have."""
        return self.model.config.max_len

    @property
    def weights(self) -> int:
        """How many numbers the model has learned."""
        return tree.count(self.model.params)

    def move(self, name: str, device: str | None = None) -> None:
        """Go on in the other twin. Raises UserError where it is not there; then nothing has changed."""
        twin = backend.choose(name, device)
        self.model = pretrained.placed(self.model, twin)
        self.twin, self.kept = twin, None

    def change(self, **settings: Any) -> None:
        """Set fields of the sampling. Raises UserError for values that cannot be."""
        self.sampling = replace(self.sampling, **settings)

    def sow(self, seed: int) -> None:
        """Begin the draws of a seed."""
        self.seed, self.answers = seed, 0

    def room(self, ids: list[int]) -> int:
        """How many tokens an answer to these may have; below 1 there is no room."""
        return min(self.sampling.max_new_tokens, self.context - len(ids))

    def compiles(self, ids: list[int]) -> bool:
        """Whether a program has to be compiled before the answer: for texts of a length that has not been before."""
        return self.twin.name == "jax" and self._program(ids) not in self.known

    def speak(self, ids: list[int]) -> Iterator[str]:
        """The answer to a conversation of `ids`, in pieces of text; `last` has its figures, as far as it has come.

        Both twins draw the same noise: their words are the same, until two tokens are so nearly equal that the rounding
        of float32 decides. Raises UserError where the context or the memory has no room, and if the model's numbers
        overflow.
        """
        if self.room(ids) < 1:
            raise UserError(f"the conversation has {len(ids)} tokens, the model room for {self.context}")
        start = shared_beginning(self.kept, ids)
        figures = Figures(len(ids) - start, start, self.size(ids), self.room(ids), compiled=self.compiles(ids))
        program = self._program(ids)
        self.last = figures
        key = random.fold_in(random.key(self.seed), self.answers)
        self.answers += 1
        text = self.model.tokenizer.stream()  # type: ignore[union-attr]
        begun = time.perf_counter()
        for step in self._steps(ids, figures.limit, key):
            now = time.perf_counter()
            figures.written += 1
            if figures.written == 2 and self.twin.name == "jax":
                self.known.add(program)  # one program reads, another writes
            if figures.written == 1:
                figures.reading, begun = now - begun, now
            figures.writing = now - begun
            token = step.tokens[0]
            figures.ended = token in self.sampling.ends
            if token is not None and not figures.ended:
                yield text.feed(token)
        if figures.ended:
            yield text.end()  # what was cut may have cut a character; then its beginning is no text

    def size(self, ids: list[int]) -> int:
        """How many tokens the cache has room for while these are answered: as many as before, or more."""
        width = bucket if self.twin.name == "jax" else int
        asked = min(width(len(ids) + self.room(ids)), self.context)
        if self.kept is None or not shared_beginning(self.kept, ids):
            return asked
        return max(asked, self.kept.cache["k"][0].shape[1])

    def cache_bytes(self, size: int) -> int:
        """The memory of a cache of that many tokens."""
        itemsize = self.model.params["emb"]["w"].dtype.itemsize
        return memory.cache(self.model.config, rows=1, size=size, itemsize=itemsize)

    def _program(self, ids: list[int]) -> tuple[int, int, bool]:
        """The sizes that a compiled program depends on, and whether it goes on beside a cache."""
        start = shared_beginning(self.kept, ids)
        return bucket(len(ids) - start), self.size(ids), start > 0

    def _steps(self, ids: list[int], limit: int, key: Any) -> Iterator[Step]:
        steps = self.twin.generate.stream(
            self.model.params,
            [ids],
            model=self.model.config,
            sampling=replace(self.sampling, max_new_tokens=limit),
            key=key,
            candidates=1,
            kept=self.kept if shared_beginning(self.kept, ids) else None,
        )
        known = list(ids)
        while True:
            interrupts.check()
            before, self.kept = self.kept, None  # a step may write over it, and may be interrupted
            if (step := _next(steps)) is None:
                self.kept = before
                return
            finite([p for best in step.candidates for _, p in best])
            self.kept = Kept(list(known), step.cache)
            yield step
            known += [token for token in step.tokens if token is not None]


def _next(steps: Iterator[Step]) -> Step | None:
    with np.errstate(all="ignore"):  # an overflow is told in a sentence
        return next(steps, None)
