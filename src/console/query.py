"""`test_model_manually.py`: ask a trained model, by flags or at a prompt, and say whether it was right.

Exit codes: 0 every answer was right, 1 one was wrong, 2 bad input or nobody to ask; of several, the highest.
"""

import argparse
import contextlib
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from rich.console import Console, RenderableType
from rich.progress import Progress
from rich.text import Text

from common import checkpoint, evaluation, random
from common.config import DigitsConfig
from common.data import digits
from common.data.digits import Expression
from common.data.parsing import LONGEST, ParseError, parse
from common.errors import UserError
from common.evaluation import Evaluation
from common.vocabulary import TOKENS
from console import answers, backend, draw
from console.asking import Asker, cases

SHIPPED = Path("checkpoints/digits-medium.safetensors")
QUICK = 5
"""Expressions of one quick test."""
BATCH = 512
"""Expressions that are asked at once when all are."""
_LINE = 4096
"""Characters of a line that are read: more than an expression may have, and no more memory than that."""


def main(argv: Sequence[str] | None = None, *, shipped: Path = SHIPPED) -> int:
    """Run the program and return its exit code; `shipped` is the model that is asked where none is named."""
    given = _parser(shipped).parse_args(argv)
    out, err = _Console(), _Console(stderr=True)
    try:
        code = _run(given, out, err)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except UserError as error:
        _complain(err, str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        _close_stdout()
        if isinstance(error, BrokenPipeError):
            return 141  # what a shell reports of a program that a closed pipe has ended
        _complain(err, f"the answers cannot be written: {error.strerror or error}")
        return 2


class _Console(Console):
    """What users type is text, never markup; and a closed pipe is the caller's affair."""

    def __init__(self, **kw: Any):
        super().__init__(highlight=False, markup=False, emoji=False, **kw)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _close_stdout() -> None:
    """Point standard output nowhere, so that what is left in its buffer causes no second error at exit."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(err: Console, sentence: str) -> None:
    _say(err, Text(f"error: {answers.printable(sentence, draw.is_ascii(err))}", "red"))


def _say(err: Console, text: Text) -> None:
    """Print to stderr, broken between words on a terminal; in a file or a pipe a sentence stays one line."""
    err.print(text, soft_wrap=not _is_terminal(sys.stderr))


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def _parser(shipped: Path) -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="test_model_manually.py",
        description="Ask a trained model. Without --expr, --file, --batch, --quick or --all there is a prompt.",
        epilog="Exit code: 0 all right, 1 something answered wrong, 2 bad input or no terminal to prompt on.",
        allow_abbrev=False,
    )
    p.add_argument("--checkpoint", type=Path, help=f"the model to ask (default: checkpoints/{shipped.name})")
    p.add_argument("--expr", action="append", metavar="TEXT", help='an expression, like "Max(5,3,9)"; may be repeated')
    p.add_argument("--file", metavar="FILE", help="one expression a line, # for comments; - reads standard input")
    p.add_argument("--batch", action="store_true", help="14 cases: easy, all the same, duplicates, extremes")
    p.add_argument("--quick", action="store_true", help=f"{QUICK} random expressions")
    p.add_argument("--seed", type=_seed, default=0, help="seed of --quick (default: 0)")
    p.add_argument("--all", action="store_true", help="every expression there is, or the test part of too large a task")
    p.add_argument("--json", action="store_true", help="one JSON object a line; columns count from 0, lines from 1")
    p.add_argument("--top", type=_top, default=5, metavar="K", help="how many probable tokens to show (default: 5)")
    p.add_argument("--backend", choices=backend.NAMES, default="numpy", help="(default: numpy)")
    p.set_defaults(shipped=shipped)
    return p


def _top(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= len(TOKENS)):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {len(TOKENS)}, not {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {2**32 - 1}, not {text!r}")
    return int(text)


def _run(given: argparse.Namespace, out: Console, err: Console) -> int:
    asked = given.expr or given.file is not None or given.batch or given.quick or given.all
    if not asked and (given.json or not _is_terminal(sys.stdin)):
        why = "--json has no prompt" if given.json else "there is no terminal to prompt on"
        raise UserError(f'{why}: add --expr "Max(5,3,9)", --file FILE, --batch, --quick or --all')
    session = _open(given, out, err)
    if not asked:
        return _prompt(session)
    code = 0
    for text in given.expr or ():
        code = max(code, session.answer(text))
    if given.file is not None:
        code = max(code, _file(session, given.file))
    if given.batch:
        code = max(code, session.many(cases(session.task)))
    if given.quick:
        code = max(code, session.many([("", session.random(QUICK))]))
    if given.all:
        code = max(code, session.all())
    return code


def _open(given: argparse.Namespace, out: Console, err: Console) -> "Session":
    path = given.checkpoint or given.shipped
    if given.checkpoint is None and not path.exists():
        raise UserError(f"{path}: there is no such file; name a model with --checkpoint, or make one with `make train`")
    model = checkpoint.load_model(path, family="classifier")
    if model.config.vocab != len(TOKENS):
        raise UserError(f"{path}: this model knows {model.config.vocab} tokens; the digit tasks have {len(TOKENS)}")
    twin = backend.choose(given.backend)
    drawn = digits.stream(random.key(given.seed), model.task)
    return Session(Asker(model, twin.train, given.top), out, err, path, twin, given.json, drawn)


@dataclass
class Session:
    """A model, the terminal it is asked on, and the form in which it answers."""

    asker: Asker
    out: Console
    err: Console
    path: Path
    twin: backend.Twin
    json: bool
    drawn: Iterator[Expression]
    shown: int = field(default=0)

    @property
    def task(self) -> DigitsConfig:
        return self.asker.model.task

    @property
    def plain(self) -> bool:
        return draw.is_ascii(self.out)

    def random(self, n: int) -> list[Expression]:
        return list(itertools.islice(self.drawn, n))

    def print(self, screen: RenderableType) -> None:
        """Show a screen, a blank line before all but the first."""
        if self.shown:
            self.out.print()
        self.shown += 1
        self.out.print(screen)

    def answer(self, text: str, line: int | None = None, where: str = "", typed: bool = False) -> int:
        """Answer one text in full; a text that is no expression is told so. Returns the exit code."""
        more = {} if line is None else {"line": line}
        try:
            expression = parse(text, self.task)
        except ParseError as error:
            if self.json:
                # half of a surrogate pair, which stands for a broken byte, is no JSON text
                told = re.sub("[\ud800-\udfff]", "\ufffd", text[:LONGEST])
                self._json(json.dumps({"error": str(error), "column": error.column, "input": told} | more))
            else:
                self._refuse(text, error, where, typed)
            return 2
        [found] = self.asker.ask([expression])
        if self.json:
            self._json(found.json(**more))
        else:
            self.print(answers.answer(found, self.out.width, self.plain))
        return 0 if found.right else 1

    def _refuse(self, text: str, error: ParseError, where: str, typed: bool) -> None:
        width, plain = self.err.width, draw.is_ascii(self.err)
        # what was typed at the prompt stands there already, unless the terminal had to break or to translate it
        echo = not (typed and text.isprintable() and len(text) < width // 2)
        _say(self.err, answers.trouble(text, error, where=where, width=width, plain=plain, echo=echo))

    def _json(self, line: str) -> None:
        # a program at the other end of a pipe may be waiting for each answer
        print(line, flush=True)

    def many(self, groups: Sequence[tuple[str, list[Expression]]]) -> int:
        """Answer groups of expressions, one a line. Returns the exit code."""
        found = [(name, self.asker.ask(expressions)) for name, expressions in groups]
        if self.json:
            for name, group in found:
                for one in group:
                    self._json(one.json(**({"group": name} if name else {})))
        else:
            self.print(answers.table(found, self.out.width))
        return 0 if all(one.right for _, group in found for one in group) else 1

    def all(self) -> int:
        """Answer every expression of the task, or the test part of a task too large to list. Returns the exit code."""
        complete = digits.size(self.task) <= digits.LISTABLE
        expressions = list(digits.listed(self.task)) if complete else digits.held_out(self.task, "test")
        if self.json:
            return max(self._all_json(chunk) for chunk in self._chunks(expressions))
        found = [self.asker.judge(chunk) for chunk in self._chunks(expressions)]
        sizes = [len(one.predictions) for one in found]
        asked = digits.to_examples(expressions, self.task)
        loss = float(np.average([one.loss for one in found], weights=sizes))
        total = evaluation.judge(loss, np.concatenate([one.predictions for one in found]), asked)
        self._tally(expressions, total, complete)
        return 0 if total.accuracy == 1 else 1

    def _all_json(self, expressions: list[Expression]) -> int:
        found = self.asker.ask(expressions)
        for one in found:
            self._json(one.json())
        return 0 if all(one.right for one in found) else 1

    def _tally(self, expressions: list[Expression], found: Evaluation, complete: bool) -> None:
        space = digits.size(self.task)
        which = f"all {space:,} expressions" if complete else f"{len(expressions):,} of the test part's expressions"
        parts = [digits.part(e, self.task.split_seed) for e in expressions]
        targets_N = np.array([e.target for e in expressions])
        self.print(Text(f"{answers.args_of(self.task)}, {', '.join(self.task.ops)}: {which}"))
        self.out.print(answers.tally(expressions, parts, found, targets_N, width=self.out.width, plain=self.plain))

    def _chunks(self, expressions: list[Expression]) -> Iterator[list[Expression]]:
        """The expressions in batches, with a bar on a terminal's stderr."""
        with Progress(console=self.err, transient=True, disable=not _is_terminal(sys.stderr)) as progress:
            bar = progress.add_task("asking", total=len(expressions))
            for start in range(0, len(expressions), BATCH):
                chunk = expressions[start : start + BATCH]
                yield chunk
                progress.advance(bar, len(chunk))


def _file(session: Session, name: str) -> int:
    """Answer each line of a file. Returns the exit code; raises UserError if it cannot be read or asks nothing."""
    code = n = 0
    with _opened(name) as file:
        for number, line in _lines(file, name):
            text = line.partition("#")[0]
            if text.strip():
                n += 1
                code = max(code, session.answer(text.rstrip(), number, f"{name}, line {number}"))
    if not n:
        raise UserError(f"{name}: there is no expression in this file; write one on each line, like Max(5,3,9)")
    return code


def _opened(name: str) -> contextlib.AbstractContextManager[TextIO]:
    # a byte that is not UTF-8 becomes a character that `parse` refuses with its place
    how: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "surrogateescape"}
    if name == "-":
        if sys.stdin is None:
            raise UserError("--file -: there is no standard input")
        with contextlib.suppress(AttributeError):
            sys.stdin.reconfigure(**how)  # type: ignore[union-attr]
        return contextlib.nullcontext(sys.stdin)
    try:
        return open(name, **how)
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {error.strerror or error}") from None


def _lines(file: TextIO, name: str) -> Iterator[tuple[int, str]]:
    """Each line with its number, without its end; of an endless line only the beginning."""
    try:
        for number in itertools.count(1):
            line = end = file.readline(_LINE)
            while end and not end.endswith("\n"):
                end = file.readline(_LINE)
            if not line:
                return
            yield number, line.rstrip("\n")
    except (OSError, UnicodeError) as error:
        raise UserError(f"{name}: cannot be read: {error}") from None


def _prompt(session: Session) -> int:
    """Ask for expressions until the user leaves. What is wrong is said, and the prompt goes on. Returns 0."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (its import gives input() line editing and a history)
    with contextlib.suppress(AttributeError):
        sys.stdin.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    session.out.print(answers.model(session.path.name, session.asker.model, session.twin))
    session.out.print("\nType an expression or a word:")
    session.out.print(answers.menu(session.task))
    while True:
        try:
            line = input("\n> ")
        except KeyboardInterrupt:
            session.out.print()
            continue
        except EOFError:
            session.out.print()
            return 0
        session.shown = 0
        try:
            if _command(session, line):
                return 0
        except UserError as error:
            _complain(session.err, str(error))
        except KeyboardInterrupt:
            session.out.print("stopped")


def _command(session: Session, line: str) -> bool:
    """Do what one line asks for. Returns whether to leave."""
    match line.strip().lower().removeprefix(":"):
        case "":
            pass
        case "q" | "quit" | "exit":
            return True
        case "help" | "h" | "?":
            session.print(answers.menu(session.task))
        case "ops":
            session.print(answers.operations(session.task))
        case "batch":
            session.many(cases(session.task))
        case "quick":
            session.many([("", session.random(QUICK))])
        case "all":
            session.all()
        case _:
            session.answer(line, typed=True)
    return False
