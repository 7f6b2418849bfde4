"""Run the Python of a page, block after block, in one namespace; and what each block prints."""

import ast
import contextlib
import importlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from common.errors import UserError
from course.page import ROOT, Block, Page

Namespace = dict[str, Any]


def outputs(page: Page) -> list[tuple[Block, Block | None]]:
    """Each Python block with the text block that shows what it prints, or None where it prints nothing."""
    pairs: list[tuple[Block, Block | None]] = []
    for block in page.blocks:
        if block.language == "python":
            pairs.append((block, None))
        elif block.language == "text":
            if not pairs or pairs[-1][1] is not None:
                raise UserError(f"{page.path}, line {block.line}: this output has no Python block of its own before it")
            pairs[-1] = (pairs[-1][0], block)
    return pairs


def run(page: Page) -> Iterator[tuple[Block, Block | None, str]]:
    """Run a page: each Python block, its output as the page shows it, and what it printed."""
    namespace: Namespace = {"__name__": "__lesson__"}
    for block, shown in outputs(page):
        yield block, shown, execute(page.path, block, namespace)


def execute(path: Path, block: Block, namespace: Namespace) -> str:
    """What a block prints. Line numbers in a traceback are those of the page."""
    if block.source is not None:
        return _define(path, block, namespace)
    code = compile("\n" * (block.line - 1) + block.body, str(path), "exec")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


def _define(path: Path, block: Block, namespace: Namespace) -> str:
    """Functions shown from `src/`: defined from the page's letters in their own module, known by name on the page."""
    module, names = _home(path, block)
    home = dict(vars(module))
    exec(compile("\n" * (block.line - 1) + block.body, str(path), "exec"), home)
    namespace.update({name: home[name] for name in names})
    return ""


def _home(path: Path, block: Block) -> tuple[ModuleType, list[str]]:
    file, _, names = str(block.source).partition(":")
    listed = [name.strip() for name in names.split(",")]
    wanted = "\n\n\n".join(_source(path, block, file, name) for name in listed)
    if block.body.strip() != wanted.strip():
        raise AssertionError(f"{path}, line {block.line}: this is not what stands in {block.source}")
    return importlib.import_module(".".join(Path(file).with_suffix("").parts[1:])), listed


def _source(path: Path, block: Block, file: str, name: str) -> str:
    place = ROOT / file
    if not file.startswith("src/") or not place.exists():
        raise AssertionError(f"{path}, line {block.line}: there is no {file}")
    text = place.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return ast.get_source_segment(text, node) or ""
    raise AssertionError(f"{path}, line {block.line}: {file} has no {name!r}")


def shipped(source: str) -> str:
    """The text of what a source comment names, for whoever writes a page."""
    file, _, names = source.partition(":")
    block = Block("python", "", source, 0, 0, 0)
    return "\n\n\n".join(_source(Path("-"), block, file, name.strip()) for name in names.split(","))
