"""Write into a page what its code prints, and the shipped source it shows."""

from pathlib import Path

from course import page as pages
from course.comparing import difference
from course.page import Block, Page
from course.running import execute, outputs, shipped


def update(path: Path, *, force: bool = False) -> list[str]:
    """Bring a page up to date, if it changes by rounding only or `force` is given. Returns what differs by more.

    Sources that the page shows are brought up to date in any case: the code that ships is right.
    """
    page = _with_sources(pages.read(path))
    namespace: dict = {"__name__": "__lesson__"}
    changes: list[tuple[Block, str]] = []
    complaints: list[str] = []
    for block, shown in outputs(page):
        printed = execute(path, block, namespace)
        if shown is None:
            if printed.strip():
                complaints.append(f"{path}, line {block.line}: this prints, and no text block shows it")
            continue
        wrong = difference(shown.body, printed)
        if wrong:
            complaints.append(f"{path}, line {shown.line}: {wrong}")
        if not wrong or force:
            changes.append((shown, printed.strip("\n") + "\n"))
    _write(page, changes)
    return [] if force else complaints


def _with_sources(page: Page) -> Page:
    changes = [(block, shipped(block.source) + "\n") for block in page.blocks if block.source is not None]
    return _write(page, changes)


def _write(page: Page, changes: list[tuple[Block, str]]) -> Page:
    """The page with other bodies in some blocks, written if it is another one."""
    text = page.text
    for block, body in sorted(changes, key=lambda change: -change[0].start):
        old = text[block.start : block.end]
        head = old[: old.index("\n", old.index("```")) + 1]
        text = text[: block.start] + head + body + "```" + text[block.end :]
    if text != page.text:
        page.path.write_text(text, encoding="utf-8")
    return pages.parse(text, page.path)
