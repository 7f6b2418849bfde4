"""The prompt of `test_model_manually.py`: questions and commands, one a line, until the user leaves."""

import contextlib
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from rich.text import Text

from common.errors import UserError
from console import backend, insight, interrupts, models
from console.answers import parts
from console.asking import heads
from console.backend import Twin
from console.conversation import Conversation, asker
from console.terminal import AGAIN, announce, complain, say

BOTH = "both"


def twins(name: str) -> tuple[Twin, bool]:
    """Who answers, and whether JAX is compared with it. Raises UserError where JAX is asked for and not installed."""
    if name == BOTH:
        backend.choose("jax")
    return backend.choose("numpy" if name == BOTH else name), name == BOTH


def run(session: Conversation) -> int:
    """Ask for questions until the user leaves. What is wrong is said, and the prompt goes on. Returns 0."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (its import gives input() line editing and a history)
    with contextlib.suppress(AttributeError):
        sys.stdin.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    _tell(session)
    session.out.print(f"\nType {'a text or a :command' if session.kind == 'text' else 'a question or a word'}:")
    session.out.print(session.screens.menu(session.asker))
    leaving = False
    while True:
        try:
            line = input("\n> ")
        except KeyboardInterrupt:
            session.out.print()
            if leaving:
                return 0
            leaving = True
            say(session.err, Text(f"({AGAIN})", "dim"))
            continue
        except EOFError:
            session.out.print()
            return 0
        session.shown, leaving = 0, False
        try:
            if act(session, line):
                return 0
            interrupts.check()
        except UserError as error:
            complain(session.err, str(error))
        except KeyboardInterrupt:
            session.out.print("stopped")


def act(session: Conversation, line: str) -> bool:
    """Do what one line asks for. Returns whether to leave. Raises UserError for a command that cannot be done."""
    if session.kind == "text" and not line.startswith(":"):
        if line:
            session.answer(line, typed=True)  # `quit` may be how a text begins: commands need their colon
        return False
    first, _, rest = line.strip().partition(" ")
    word = first.lower().removeprefix(":")
    if not first:
        return False
    if word in LEAVE and not rest:
        return True
    if word in PLAIN and not (session.kind == "text" and word == "ops"):
        if rest:
            raise UserError(f"{first} takes nothing behind it: type {first} alone")
        PLAIN[word](session)
    elif word in TAKES:
        TAKES[word](session, rest.strip())
    else:
        _unknown(session, line, first, word)
    return False


def _unknown(session: Conversation, line: str, first: str, word: str) -> None:
    near = get_close_matches(word, [*PLAIN, *TAKES, "quit"], 1, 0.7)
    hint = f"did you mean {first[:1] if first.startswith(':') else ''}{near[0]}?" if near else "type :help for them all"
    if first.startswith(":"):
        raise UserError(f"there is no command {first!r}; {hint}")
    if near and line.strip() == first and first.isalpha():
        raise UserError(f"there is no command or question {first!r}; {hint}")
    session.answer(line, typed=True)


def _tell(session: Conversation) -> None:
    line = parts.model(session.path.name, session.asker.model, session.asker.twin)
    session.out.print(line.append(", compared with jax") if session.wanted.both else line)


def _help(session: Conversation) -> None:
    session.print(session.screens.menu(session.asker))


def _why(session: Conversation, text: str) -> None:
    """Explain the last answer, or answer a question and explain that."""
    if text:
        before, session.wanted = session.wanted, session.wanted._replace(why=True)
        try:
            session.answer(text)
        finally:
            session.wanted = before
        return
    session.explain(insight.Insight(why=insight.reason(session.asker, _last(session, "why"), session.err)))


def _attn(session: Conversation, text: str) -> None:
    words = text.split()
    pairs = session.asker.model.family == "seq2seq"
    form = ":attn BLOCK HEAD" + (" [across|decoder|encoder]" if pairs else "")
    if len(words) not in (2, 3) or not all(w.isascii() and w.isdigit() and len(w) < 5 for w in words[:2]):
        raise UserError(f"{form}: name a block and a head by their numbers from 0, as in `:attn 0 1`")
    if len(words) == 3 and not pairs:
        raise UserError(f"{form}: two numbers, no more; what is {words[2]!r}?")
    again = session.asker.again(_last(session, ":attn"))
    kind = words[2].lower() if len(words) == 3 else None
    found = heads.head(session.asker.model, again, int(words[0]), int(words[1]), kind)
    session.explain(insight.Insight(head=found))


def _last(session: Conversation, command: str) -> object:
    if session.last is None:
        raise UserError(f"{command} tells of the last answer, and there is none yet: ask something first")
    return session.last


def _top(session: Conversation, text: str) -> None:
    if text and not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 10**6):
        raise UserError(f":top takes a whole number from 1, not {text!r}")
    if text:
        settings = session.asker.settings._replace(top=int(text))
        session.asker = asker(session.asker.model, session.asker.twin, settings)
    fit = "" if session.kind == "digits" else "; beside each token as many as fit"
    session.out.print(f"the {session.asker.settings.top} most probable tokens are shown{fit}")


def _backend(session: Conversation, text: str) -> None:
    name = text.lower()
    if name and name not in (*backend.NAMES, BOTH):
        near = get_close_matches(name, (*backend.NAMES, BOTH), 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(backend.NAMES)} and {BOTH}"
        raise UserError(f"there is no backend {text!r}; {hint}")
    if name:
        twin, both = twins(name)
        session.asker = asker(session.asker.model, twin, session.asker.settings)
        session.wanted = session.wanted._replace(both=both)
        announce(session.err, "jax" if both else twin.name)
    _tell(session)


def _model(session: Conversation, text: str) -> None:
    """Ask another model from now on. Nothing changes if it cannot be asked."""
    if text:
        path = Path(text).expanduser()
        session.asker = asker(models.load(path), session.asker.twin, session.asker.settings)
        session.path, session.last, session.drawn = path, None, None
    _tell(session)
    if text:
        session.out.print(session.screens.menu(session.asker))


PLAIN: dict[str, Callable[[Conversation], object]] = {
    "batch": Conversation.batch,
    "quick": Conversation.quick,
    "all": Conversation.all,
    "ops": lambda session: session.print(session.screens.operations(session.asker)),
    "help": _help,
    "h": _help,
    "?": _help,
}
TAKES: dict[str, Callable[[Conversation, str], None]] = {
    "why": _why,
    "attn": _attn,
    "top": _top,
    "backend": _backend,
    "model": _model,
}
LEAVE = ("q", "quit", "exit")
