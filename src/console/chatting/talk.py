"""A conversation on a terminal or in a pipe: a message goes in, the answer is printed while it comes."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from common.errors import UserError
from console import interrupts
from console.chatting.dialogue import Dialogue, Turn
from console.chatting.sheet import Sheet, harmless
from console.chatting.speaker import Figures, Speaker
from console.terminal import is_terminal, say

_LONG = 256
"""Tokens of a conversation from which on reading takes so long that it is said."""


@dataclass
class Talk:
    speaker: Speaker
    dialogue: Dialogue
    out: Console
    err: Console
    interactive: bool
    """Whether somebody is there who can go on after Ctrl-C."""
    device: str | None = None
    """What was asked for for JAX; None leaves the choice to it."""
    sheet: Sheet = field(init=False)
    _answers: int = 0

    def __post_init__(self) -> None:
        self.sheet = Sheet(self.out)

    def answer(self, message: str) -> None:
        """Print the answer to a message and keep both. Ctrl-C ends the answer where it is; that much is kept.

        Raises UserError where the message cannot be answered; then nothing is kept of it. So it is where Ctrl-C comes
        before the first word.
        """
        ids = self.dialogue.ids(message)
        if self.speaker.room(ids) < 1:
            raise UserError(self._full(len(ids)))
        if self._answers and not self.interactive:
            self.out.print()  # a blank line between two answers
        self._answers += 1
        with interrupts.hold(once=True) as stop:
            answer = self._said(ids, stop)
            stop.deaf = True
            if answer or not stop.wanted:
                self.dialogue.turns.append(Turn(message, answer))
            self.sheet.end()
            self.note(self._ending(stop.wanted, bool(answer), self.speaker.last))
        if stop.wanted and not self.interactive:
            raise KeyboardInterrupt

    def _said(self, ids: list[int], stop: interrupts.Hold) -> str:
        """Print the answer to the conversation of `ids`; returns it, or as much as there is when it is stopped."""
        said: list[str] = []
        try:
            for piece in self._pieces(ids):
                said.append(piece)
                self.sheet.write(piece)
                if stop.wanted:
                    break
        except KeyboardInterrupt:
            stop.wanted = True
        except UserError:
            if said:
                self.sheet.end()
            raise
        return "".join(said)

    def _pieces(self, ids: list[int]) -> Iterator[str]:
        """The answer as it comes; until it does, what is being waited for."""
        waiting = self._waiting(ids)
        waited = 2 if self.speaker.compiles(ids) else 1  # one program reads, another writes
        pieces = self.speaker.speak(ids)
        with self.err.status(waiting) if waiting and is_terminal(self.err.file) else contextlib.nullcontext():
            first = list(itertools.islice(pieces, waited))
        yield from first
        yield from pieces

    def _waiting(self, ids: list[int]) -> str:
        if self.speaker.compiles(ids):
            again = " for a longer conversation" if self.speaker.known else ", the first time only"
            return f"JAX is compiling{again} ..."
        return f"reading {len(ids):,} tokens ..." if len(ids) > _LONG else ""

    def _full(self, tokens: int) -> str:
        most = self.speaker.context
        ways = "shorten it, /undo what was said last, or begin anew with /reset"
        return (
            f"with this message the conversation has {tokens:,} tokens and the model room for {most:,}, the answer "
            f"included: {ways if self.dialogue.turns else 'shorten it'}"
        )

    def _ending(self, stopped: bool, answered: bool, last: Figures | None) -> str:
        """What there is to say after an answer; often nothing."""
        if stopped:
            return "stopped" if answered else "stopped before the first word: the message was not kept"
        if not answered:
            return "the answer is empty"
        used = self.dialogue.used()
        left = self.speaker.context - used
        if last is not None and not last.ended and last.limit < self.speaker.sampling.max_new_tokens:
            return "cut: the context is full; /undo takes back what was said last, /reset begins anew"
        cut = ""
        if last is not None and not last.ended:
            sign = "/" if self.interactive else "--"
            cut = f"cut after {last.written:,} tokens, {sign}max-new-tokens allows more"
        near = ""
        if left < min(self.speaker.sampling.max_new_tokens, self.speaker.context // 4):
            near = f"{max(left, 0):,} of {self.speaker.context:,} tokens are left; then it takes /undo or /reset"
        return "; ".join(part for part in (cut, near) if part)

    def note(self, sentence: str) -> None:
        """Say something that is no part of an answer; on stderr, so that answers in a pipe stay alone."""
        if sentence:
            say(self.err, Text(f"({harmless(sentence, self.sheet.plain)})", "dim"))
