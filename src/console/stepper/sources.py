"""The source of a function that a trace has seen: its syntax tree, the line that made a name, where it is written."""

import ast
from functools import cache
from pathlib import Path

from common.trace import Call
from console.stepper import breaking

SOURCE = Path(__file__).parents[2]


def body(call: Call) -> list[ast.AST]:
    """Every node of a call's function."""
    return _nodes(file_of(call), call.line)


def file_of(call: Call) -> str:
    return breaking.written_in(call.file)


def where(call: Call, line: int) -> str:
    """`src/numpy_ref/ops/attend.py:31`."""
    path = Path(file_of(call))
    short = path.relative_to(SOURCE.parent) if path.is_relative_to(SOURCE) else path
    return f"{short}:{line}"


def written(call: Call, node: ast.AST) -> str:
    """A node as it stands in the file."""
    return ast.get_source_segment(_text(file_of(call)), node) or ""


def assignment(call: Call, short: str) -> ast.AST | None:
    """The last assignment of a name before the call returned; None for an argument."""
    found = None
    for node in body(call):
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        if short in names and getattr(node, "lineno", 0) <= call.line:
            found = node
    return found


@cache
def _nodes(file: str, line: int) -> list[ast.AST]:
    """Every node of the innermost function that has a line."""
    everything = ast.walk(ast.parse(_text(file)))
    around = [n for n in everything if isinstance(n, ast.FunctionDef) and n.lineno <= line <= (n.end_lineno or line)]
    return list(ast.walk(around[-1])) if around else []


@cache
def _text(file: str) -> str:
    return Path(file).read_text()
