"""What a page must have besides code that runs: a frame, links that lead somewhere, predictions, proven numbers."""

import re
from collections.abc import Iterator
from pathlib import Path

from course.page import ROOT, Page

WORDS = 3_000
"""Of the main path: what is folded away, and code, do not count."""
PREDICTIONS = 5
SECTIONS = (
    "Where we are",
    "The question",
    "By hand",
    "In code",
    "Predict, then run",
    "Check it",
    "Break it",
    "In the trainer",
    "In JAX",
    "Exercises",
    "You can now",
)
"""The form of a lesson. Lesson 00 is a tour and has its own."""
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:src|tests|lessons|benchmarks|checkpoints)/[\w./-]+)`")
_LONG = re.compile(r"(?<![\w.])\d+\.\d{3,}(?![\w.])")
_UNSEEN = (r"\$\$", r"\\operatorname", r"\\newcommand")


def complaints(page: Page) -> list[str]:
    """Everything that is wrong with a page's form, a sentence each."""
    return [f"{page.path.name}: {text}" for text in _all(page)]


def _all(page: Page) -> Iterator[str]:
    yield from _frame(page)
    yield from _links(page)
    prose = _prose(page)
    told = len(re.findall(r"\*\*Predict", page.text))
    if told < PREDICTIONS and page.number != "00":
        yield f"{told} predictions: at least {PREDICTIONS}"
    main = re.sub(r"<details>.*?</details>", "", prose, flags=re.S)
    words = len(re.findall(r"\w+", main))
    if words > WORDS:
        yield f"{words:,} words on the main path: at most {WORDS:,}"
    shown = " ".join(block.body for block in page.blocks)
    for number in dict.fromkeys(_LONG.findall(prose)):
        if number not in shown:
            yield f"the number {number} stands in the prose, and no block prints it"
    for pattern in _UNSEEN:
        if re.search(pattern, page.text):
            yield f"GitHub does not show {pattern}"
    for summary in re.finditer(r"</summary>\n(?!\n)", page.text):
        yield f"line {page.text.count(chr(10), 0, summary.end())}: a blank line has to follow a summary"


def _frame(page: Page) -> Iterator[str]:
    if not re.match(r"# \d\d · \S", page.text):
        yield "the title is `# NN · Name`"
    head = page.text.split("\n## ")[0]
    for word in ("**Before**", "**Minutes**", "**You will be able to**"):
        if word not in head:
            yield f"the front block lacks {word}"
    if page.number != "00":
        found = re.findall(r"^## (.+?)\s*$", page.text, re.M)
        missing = [name for name in SECTIONS if not any(title.startswith(name) for title in found)]
        if missing:
            yield f"sections missing: {', '.join(missing)}"
    if "(README.md)" not in page.text.rsplit("\n", 4)[-2] + page.text.rsplit("\n", 4)[-3]:
        yield "the last line links to the lessons before and after, and to README.md"


def _links(page: Page) -> Iterator[str]:
    for text, target in _LINK.findall(_prose(page)):
        place = target.partition("#")[0]
        if place and not re.match(r"[a-z]+:", place) and not (page.path.parent / place).exists():
            yield f"the link to {target} leads nowhere"
        if place.endswith(".svg") and len(text) < 20:
            yield f"the picture {place} needs a text that says what it shows"
    for place in dict.fromkeys(_PATH.findall(page.text)):
        if not (ROOT / place.rstrip("./")).exists() and not list(Path(ROOT).glob(place)):
            yield f"there is no {place}"


def _prose(page: Page) -> str:
    """The page without its blocks."""
    text, end = "", 0
    for block in page.blocks:
        text, end = text + page.text[end : block.start], block.end
    return text + page.text[end:]
