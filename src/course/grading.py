"""Exercises: a stub to fill in, a grader that says what is wrong, hints in steps, and a solution in a file.

    lessons/exercises/ex07_1_softmax_backward.py     the stub; its docstring is the task, HINTS the hints
    lessons/solutions/ex07_1_softmax_backward.py     the same file, solved
    lessons/wrong/ex07_1_softmax_backward__copied.py a typical wrong answer; its first line is `# says: ...`
    src/course/graders/ex07.py                       `softmax_backward(answer)`: None, or what is wrong

A stub raises NotImplementedError where the answer goes: that is "to do", not a failure.
"""

import ast
import importlib
import importlib.util
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from common.errors import UserError
from course.page import LESSONS

_NAME = re.compile(r"ex(\d\d)_(\d+)_(\w+)")
TO_DO = "to do"


@dataclass(frozen=True)
class Exercise:
    name: str
    """`ex07_1_softmax_backward`"""
    lesson: str
    function: str
    """The grader's name: `softmax_backward`."""

    @property
    def stub(self) -> Path:
        return LESSONS / "exercises" / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        return LESSONS / "solutions" / f"{self.name}.py"

    @property
    def wrong(self) -> list[Path]:
        return sorted((LESSONS / "wrong").glob(f"{self.name}__*.py"))


@dataclass(frozen=True)
class Verdict:
    right: bool
    text: str
    """`right`, `to do`, or what is wrong."""


def every(lesson: str | None = None) -> list[Exercise]:
    """The exercises, in order."""
    found = []
    for path in sorted((LESSONS / "exercises").glob("ex*.py")):
        parts = _NAME.fullmatch(path.stem)
        if parts and lesson in (None, parts[1]):
            found.append(Exercise(path.stem, parts[1], parts[3]))
    return found


def named(name: str) -> Exercise:
    """An exercise by its name or the beginning of it (`ex07_1`). Raises UserError where that is none, or several."""
    known = every()
    found = [e for e in known if e.name == name] or [e for e in known if e.name.startswith(f"{name}_")]
    if len(found) != 1:
        raise UserError(f"there is no exercise {name!r}; `python -m course progress` lists them")
    return found[0]


def grade(exercise: Exercise, path: Path | None = None) -> Verdict:
    """The verdict on the answer in a file, by default in the stub's."""
    place = path or exercise.stub
    grader = getattr(importlib.import_module(f"course.graders.ex{exercise.lesson}"), exercise.function)
    try:
        wrong = grader(_load(place))
    except NotImplementedError:
        return Verdict(False, TO_DO)
    except Exception as error:  # an answer is a program, and can fail in every way a program can
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(place)]
        if "NoneType" in str(error) and not lines:
            return Verdict(False, "it returns None: is a `return` missing?")
        at = f" in line {lines[-1]}" if lines else ""
        return Verdict(False, f"it stops{at} with {type(error).__name__}: {error}")
    return Verdict(wrong is None, wrong or "right")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"answer_{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise UserError(f"{path}: there is no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hints(exercise: Exercise) -> list[str]:
    """The stub's hints, from a nudge to nearly the answer. They are read, not run: an answer may be half written."""
    found = re.search(r"^HINTS = (\[.*?^\])", exercise.stub.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return list(ast.literal_eval(found[1])) if found else []
