"""A model, the terminal it is asked on, and the form in which it answers."""

import itertools
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import Progress
from rich.text import Text

from common.checkpoint import Model
from common.config import kind_of
from common.data.pieces import ParseError
from common.errors import UserError
from console import draw, insight, interrupts
from console.answers import digits, sequences, texts
from console.answers.trouble import trouble
from console.asking import ANY_TEXT, QUICK, Asker, Settings
from console.asking.digits import DigitsAsker
from console.asking.sequences import SequencesAsker
from console.asking.texts import EXPLAINED, TextsAsker
from console.backend import Twin
from console.insight import Insight, Wanted
from console.terminal import is_terminal, say

BATCH = 512
"""Questions that are asked at once when all are."""
_TOLD = 200
"""Characters of a text that is no question that --json repeats."""
_ASKERS: dict[str, Any] = {"digits": DigitsAsker, "sequence": SequencesAsker, "text": TextsAsker}
_SCREENS: dict[str, ModuleType] = {"digits": digits, "sequence": sequences, "text": texts}


def asker(model: Model, twin: Twin, settings: Settings) -> Asker:
    """Whoever can ask a model of this kind of task. Raises UserError for settings that it has no use for."""
    kind = kind_of(model.task)
    if settings.top > model.task.vocab:
        raise UserError(f"this model knows {model.task.vocab} tokens: so many can be shown at most, not {settings.top}")
    if settings.beams is not None and model.family != "seq2seq":
        raise UserError(f"--beams searches among the answers of a seq2seq model; this is a {model.family}")
    if settings.beyond and kind == "text":
        raise UserError(ANY_TEXT)
    return _ASKERS[kind](model, twin, settings)


@dataclass
class Conversation:
    """Each way of asking returns the exit code: 0 all right, 1 something wrong, 2 something that is no question."""

    asker: Asker
    out: Console
    err: Console
    path: Path
    json: bool
    seed: int
    wanted: Wanted = field(default=Wanted())
    last: Any = field(default=None)
    """The last single answer, for `why` and `:attn`."""
    shown: int = field(default=0)
    drawn: Iterator[Any] | None = field(default=None)

    @property
    def kind(self) -> str:
        return kind_of(self.asker.model.task)

    @property
    def screens(self) -> Any:
        return _SCREENS[self.kind]

    @property
    def backend(self) -> str:
        return "both" if self.wanted.both else self.asker.twin.name

    @property
    def plain(self) -> bool:
        return draw.is_ascii(self.out)

    def print(self, screen: RenderableType) -> None:
        """Show a screen, a blank line before all but the first."""
        if self.shown:
            self.out.print()
        self.shown += 1
        self.out.print(screen)

    def answer(self, text: str, line: int | None = None, where: str = "", typed: bool = False) -> int:
        """Answer one text in full; a text that is no question is told so."""
        more = {} if line is None else {"line": line}
        try:
            question = self.asker.read(text)
        except ParseError as error:
            if self.json:
                # half of a surrogate pair, which stands for a broken byte, is no JSON text
                told = re.sub("[\ud800-\udfff]", "\ufffd", text[:_TOLD])
                self._json(json.dumps({"error": str(error), "column": error.column, "input": told} | more))
            else:
                self._refuse(text, error, where, typed)
            return 2
        [found] = self.asker.ask([question])
        self.last = found
        seen = insight.of(self.asker, found, self.wanted, self.err)
        if self.json:
            self._json(found.json(**more, **seen.record()))
        else:
            self.print(self.screens.answer(found, self.out.width, self.plain))
            self.explain(seen)
        return 1 if found.right is False else 0

    def explain(self, seen: Insight) -> None:
        """Show what was found out about an answer."""
        for screen in seen.screens(self.out.width, self.plain):
            self.print(screen)
        if (seen.why or seen.head) and self.kind == "text" and len(self.last.tokens) > EXPLAINED:
            told = f"Explained are the first {EXPLAINED} of the {len(self.last.tokens)} tokens that were added."
            self.out.print(Text(told, "dim"))
        if self.asker.twin.name != "numpy" and (seen.why or seen.head):
            self.out.print(Text("These are NumPy's numbers, of the same weights.", "dim"))

    def _refuse(self, text: str, error: ParseError, where: str, typed: bool) -> None:
        width, plain = self.err.width, draw.is_ascii(self.err)
        # what was typed at the prompt stands there already, unless the terminal had to break or to translate it
        echo = not (typed and text.isprintable() and len(text) < width // 2)
        say(self.err, trouble(text, error, where=where, width=width, plain=plain, echo=echo))

    def _json(self, line: str) -> None:
        # a program at the other end of a pipe may be waiting for each answer
        print(line, flush=True)

    def batch(self) -> int:
        return self._many(self.asker.cases())

    def quick(self) -> int:
        if self.drawn is None:
            self.drawn = self.asker.draw(self.seed)
        return self._many([("", list(itertools.islice(self.drawn, QUICK)))])

    def _many(self, groups: Sequence[tuple[str, list[Any]]]) -> int:
        """Answer groups of questions, one a line."""
        found = [(name, self.asker.ask(questions)) for name, questions in groups]
        apart = [insight.twins(self.asker, group, self.wanted) for _, group in found]
        if self.json:
            for (name, group), rows in zip(found, apart, strict=True):
                for one, row in zip(group, rows, strict=True):
                    self._json(one.json(**({"group": name} if name else {}), **row.record()))
        else:
            self.print(self.screens.table(found, self.out.width))
            self.explain(insight.most([row for rows in apart for row in rows]))
        return 0 if all(one.right for _, group in found for one in group) else 1

    def all(self) -> int:
        """Answer every question of the task, or the test part of a task too large to list."""
        title, questions = self.asker.everything()
        if self.json:
            return max(self._all_json(chunk) for chunk in self._chunks(questions))
        judged, apart = [], []
        for chunk in self._chunks(questions):
            judged.append(self.asker.judge(chunk))
            if self.wanted.both:
                apart += insight.twins(self.asker, self.asker.ask(chunk), self.wanted)
        total = self.asker.total(questions, judged)
        self.print(Text(f"{self.screens.about(self.asker)}: {title}"))
        self.out.print(self.screens.tally(self.asker, questions, total, self.out.width, self.plain))
        self.explain(insight.most(apart))
        return 0 if total.accuracy == 1 else 1

    def _all_json(self, questions: list[Any]) -> int:
        found = self.asker.ask(questions)
        for one, row in zip(found, insight.twins(self.asker, found, self.wanted), strict=True):
            self._json(one.json(**row.record()))
        return 0 if all(one.right for one in found) else 1

    def _chunks(self, questions: list[Any]) -> Iterator[list[Any]]:
        """The questions in batches, with a bar on a terminal's stderr."""
        with Progress(console=self.err, transient=True, disable=not is_terminal(sys.stderr)) as progress:
            bar = progress.add_task("asking", total=len(questions))
            for start in range(0, len(questions), BATCH):
                chunk = questions[start : start + BATCH]
                yield chunk
                interrupts.check()
                progress.advance(bar, len(chunk))
