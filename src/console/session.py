"""One call of the training program: what it works on, what it says, what it keeps."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from common import checkpoint, tree
from common.checkpoint import Model, Run
from common.config import TrainConfig, family_of
from common.errors import UserError
from common.run import Best, TrainState
from common.types import Array, Tree
from console.options import Options
from console.page import Page
from console.report.recording import Recorder
from console.subjects import Subject

LAST, BEST, TEXT, CHANGES = "last.safetensors", "best.safetensors", "text.txt", "changes.json"
"""In a run's folder: the run, which is resumed where it was read; the model to ask; the text of a text task; what
was changed on the way, if anything was."""


@dataclass
class Session:
    """One call of the program."""

    console: Console
    subject: Subject
    train: TrainConfig
    folder: Path
    asked: Options
    state: TrainState
    maps: list[tuple[int, list[Array]]] = field(default_factory=list)
    """Attention of the subject's view at the end of each epoch of this call."""

    compiled: bool = False
    """Whether the wait for JAX's compiler has been announced."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """What was done to the run on the way that its settings do not tell: after_update, setting, from, to."""
    recorder: Recorder = field(default_factory=Recorder)
    """What a report is made from."""

    @property
    def page(self) -> Page:
        return Page.of(self.console)

    @property
    def last(self) -> Path:
        return self.folder / LAST

    @property
    def best(self) -> Path:
        return self.folder / BEST

    def watch(self, state: TrainState) -> None:
        """Keep what a report will want of a state, where one may be asked for."""
        if self.asked.interactive or self.asked.report is not None:
            self.recorder.see(state, self.train)

    def say(self, text: str) -> None:
        """A line that is not broken: it may hold a path."""
        self.console.print(Text(text), soft_wrap=True)

    def screen(self, title: str, content: RenderableType) -> None:
        """Show a screen under its title."""
        line = "-" if self.page.ascii_only else "─"
        self.console.print(Rule(title, align="left", characters=line, style="dim"))
        self.console.print(content)

    def save(self) -> None:
        """Write the run as it is now."""
        state, best, subject = self.state, self.state.best, self.subject
        if best is not None:
            best = Best(numbers(best.params), best.epoch, best.step, best.accuracy, best.loss)
        exported = subject.twin.optim.export(state.opt, state.params)
        opt = {name: int(part) if name == "step" else numbers(part) for name, part in exported.items()}
        kept = TrainState(numbers(state.params), opt, state.step, state.history, best)
        run = Run(family_of(subject.model), subject.model, subject.task, self.train, kept)
        checkpoint.save_run(self.last, run)
        path = self.folder / CHANGES
        if self.changes:
            path.write_text(json.dumps(self.changes, indent=1) + "\n")
        else:
            path.unlink(missing_ok=True)  # of a run that is overwritten

    def save_best(self, best: Best) -> None:
        """Write the model of the best epoch."""
        notes: dict[str, Any] = {"epoch": best.epoch, "step": best.step, "validation_accuracy": best.accuracy}
        if self.changes:
            notes["changes"] = self.changes
        subject = self.subject
        model = Model(family_of(subject.model), subject.model, subject.task, numbers(best.params), self.train, notes)
        checkpoint.save_model(self.best, model)

    def save_text(self, words: str) -> None:
        """Write the text of a text task, without which its run could not be resumed.

        Raises UserError if that fails, or if the folder holds another text that nobody has said may be lost.
        """
        path, body = self.folder / TEXT, words.encode()
        try:
            if path.exists():
                if path.read_bytes() == body:
                    return
                if not self.asked.overwrite:
                    raise UserError(f"{path} holds another text: add --overwrite to lose it, or take another --out")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        except OSError as error:
            raise UserError(f"{path}: the text cannot be written: {error.strerror or error}") from None


def changes(folder: Path) -> list[dict[str, Any]]:
    """What was changed in the run of a folder."""
    try:
        told = json.loads((folder / CHANGES).read_text())
    except (OSError, ValueError):
        return []
    return told if isinstance(told, list) else []


def numbers(params: Tree | Any) -> Tree:
    """The same tree in NumPy."""
    return tree.map(np.asarray, params)
