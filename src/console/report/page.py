"""One HTML file with everything in it: parts of the page, data and scripts, put together and written."""

import html
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from common.errors import UserError

LIMIT = 1_500_000
"""Bytes of a report."""
SCRIPTS = {
    "arithmetic": ("numbers.js", "forward.js"),
    "pictures": ("drawing.js", "curves.js", "attention.js", "tensors.js", "asking.js", "page.js"),
}
"""The first has nothing of a browser in it."""


def build(title: str, content: dict[str, Any]) -> str:
    """The page. Whatever stands in title or content is shown as text and never read as markup."""
    parts = {"TITLE": html.escape(title), "STYLE": _part("report.css"), "DATA": _json(content)}
    parts |= {name.upper(): "\n".join(_part(file) for file in files) for name, files in SCRIPTS.items()}
    pieces = _part("report.html").split("%%")  # text, name, text, name, ..., text
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def _json(content: dict[str, Any]) -> str:
    """JSON that stands inside a script: no `<` in it, so nothing can end the script."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return (resources.files("console.report") / name).read_text(encoding="utf-8")


def check(path: Path) -> None:
    """Raises UserError for a path that no report can be written to, before anything is trained for it."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"a report is an HTML file: give it a name that ends in .html, not {path.name!r}")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file for the report")
    there = next(place for place in path.absolute().parents if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"{path} cannot be written: {there} is no folder that may be written in; name another file")


def write(path: Path, page: str) -> None:
    """Write the page; who reads sees the old file or the new one. Raises UserError if that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: the report cannot be written: {error.strerror or error}") from None
