"""Ctrl-C as an exception in our own Python alone.

An exception in the middle of JAX is lost in its callbacks, or brings the interpreter down. While JAX is at work the
wish is noted, and KeyboardInterrupt comes from the next `check()`, between two steps.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

T = TypeVar("T")
_NOT_OURS = {"jax", "jaxlib", "jax_impl"}


@dataclass
class Hold:
    """A handler of SIGINT, and what it has heard."""

    hasty: bool = False
    """Whether a second Ctrl-C ends the program where JAX has not answered the first: there is nothing to lose."""
    once: bool = False
    """Whether Ctrl-C is heard only once."""
    wanted: bool = False
    waiting: bool = False
    """Whether the wish was noted and not told yet."""
    deaf: bool = False
    """Whether it is too late: nothing is interrupted any more."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.deaf:
            return
        if self.waiting and self.hasty:
            _end()
        if self.wanted and self.once:
            return
        self.wanted = self.waiting = True
        if not _in_jax(frame):
            self.tell()

    def tell(self) -> None:
        self.waiting = False
        raise KeyboardInterrupt


def _in_jax(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _NOT_OURS:
            return True
        frame = frame.f_back
    return False


def _end() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # a progress bar hides the cursor
    os._exit(128 + signal.SIGINT)


@contextlib.contextmanager
def hold(hasty: bool = False, once: bool = False) -> Iterator[Hold]:
    """Hear Ctrl-C in the block; a wish that nobody has told by its end is told there.

    Where SIGINT is another's affair, as where whoever started the program has it ignored, nothing changes.
    """
    mine = Hold(hasty, once)
    before = signal.getsignal(signal.SIGINT)
    ours = before is signal.default_int_handler or isinstance(before, Hold)
    if not ours or threading.current_thread() is not threading.main_thread():
        yield mine
        return
    signal.signal(signal.SIGINT, mine)
    try:
        yield mine
    finally:
        signal.signal(signal.SIGINT, before)
    if mine.waiting and not mine.deaf:
        mine.tell()


def check() -> None:
    """Raises KeyboardInterrupt where Ctrl-C was noted while JAX was at work."""
    heard = signal.getsignal(signal.SIGINT)
    if isinstance(heard, Hold) and heard.waiting and not heard.deaf:
        heard.tell()


def between(steps: Iterable[T]) -> Iterator[T]:
    """The steps; Ctrl-C comes between two of them."""
    for step in steps:
        check()
        yield step
    check()
