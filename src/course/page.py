"""A lesson as its blocks: what is code, what is its output, and what is shown from `src/`.

    ```python       runs in the page's own namespace, after all before it
    ```text         right after it, though prose or a <details> may stand between: what it printed
    ```console      commands after `$ `, and what they print
    ```             anything else: a drawing, a formula

A comment `<!-- source: src/numpy_ref/ops/softmax.py:forward -->` before a Python block says that it is that function,
letter for letter; several, with commas, where the block shows several.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
LESSONS = ROOT / "lessons"
_BLOCK = re.compile(r"^(?:<!-- source: (?P<source>\S.*?) -->\n)?```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    language: str
    body: str
    source: str | None
    """`src/numpy_ref/ops/softmax.py:forward,backward` where the block shows what stands there."""
    start: int
    """Of the whole block in the page's text, its fences included; and the end of it."""
    end: int
    line: int
    """The page's line, from 1, on which the body begins."""


@dataclass(frozen=True)
class Page:
    path: Path
    text: str
    blocks: list[Block]

    @property
    def number(self) -> str:
        return self.path.name[:2]

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0].lstrip("# ").strip()


def read(path: Path) -> Page:
    """Raises UserError where the page cannot be read or a fence is not closed."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Page:
    blocks = []
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("body")) + 1
        language, body, source = found.group("language", "body", "source")
        blocks.append(Block(language, body, source, found.start(), found.end(), line))
    fences = len(re.findall(r"^```", text, re.M))
    if fences != 2 * len(blocks):
        raise UserError(f"{path}: {fences} fences make {len(blocks)} blocks: one is not closed, or is indented")
    return Page(path, text, blocks)


def every() -> list[Path]:
    """The lessons, in order."""
    return sorted(LESSONS.glob("[0-9][0-9]_*.md"))


def named(number: str) -> Path:
    """The lesson of a number, `7` or `07`. Raises UserError where there is none."""
    found = sorted(LESSONS.glob(f"{number.zfill(2)}_*.md")) if number.isdigit() else []
    if not found:
        known = ", ".join(path.name[:2] for path in every()) or "none"
        raise UserError(f"there is no lesson {number!r}; there are {known}")
    return found[0]
