"""A lesson as a notebook that runs, for those who prefer one. None is kept: the page is what is written."""

from pathlib import Path
from typing import Any

from common.optional import package
from course.page import Page

_SHOWN = """\
# this is what stands in {source}; it is defined where it is at home
import importlib
_home = vars(importlib.import_module("{module}"))
globals().update({{name: _home[name] for name in {names}}})
"""


def write(page: Page, path: Path) -> None:
    """Raises UserError where jupytext is not installed, or the file cannot be written."""
    jupytext = package("jupytext", "a notebook")
    formats = package("nbformat.v4", "a notebook")
    cells: list[Any] = []
    end = 0
    for block in page.blocks:
        if block.language == "python":
            _prose(cells, formats, page.text[end : block.start])
            cells.append(formats.new_code_cell(_code(block.body.rstrip(), block.source)))
            end = block.end
        elif block.language == "text":
            _prose(cells, formats, page.text[end : block.start])
            end = block.end
    _prose(cells, formats, page.text[end:])
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    jupytext.write(formats.new_notebook(cells=cells, metadata=kernel), path, fmt="ipynb")


def _prose(cells: list[Any], formats: Any, text: str) -> None:
    if text.strip():
        cells.append(formats.new_markdown_cell(text.strip("\n")))


def _code(body: str, source: str | None) -> str:
    if source is None:
        return body
    file, _, listed = source.partition(":")
    module = ".".join(Path(file).with_suffix("").parts[1:])
    names = [name.strip() for name in listed.split(",")]
    commented = "\n".join(f"# {line}".rstrip() for line in body.split("\n"))
    return _SHOWN.format(source=source, module=module, names=names) + commented
