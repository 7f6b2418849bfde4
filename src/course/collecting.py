"""The pages as tests: Sybil collects their blocks, and a failure carries the line of the page."""

from collections.abc import Iterable

from sybil import Document, Example, Region

from course import page as pages
from course.comparing import difference
from course.running import execute, outputs


def regions(document: Document) -> Iterable[Region]:
    """A test for each Python block, which runs it, and one for each output, which compares."""
    path = pages.Path(document.path)
    for block, shown in outputs(pages.parse(document.text, path)):
        yield Region(block.start, block.end, (path, block, shown), _run)
        if shown is not None:
            yield Region(shown.start, shown.end, shown, _compare)


def _run(example: Example) -> str | None:
    path, block, shown = example.parsed
    printed = execute(path, block, example.namespace)
    example.document.namespace["__printed__"] = printed
    return None if shown is not None else difference("", printed)


def _compare(example: Example) -> str | None:
    return difference(example.parsed.body, example.document.namespace["__printed__"])
