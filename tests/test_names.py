"""A trace of locals tells the truth: in ops, layers and models no name is bound twice, no array changed in place."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
FILES = sorted(f for part in ("ops", "layers", "models") for f in SRC.glob(f"*/{part}/*.py"))


EXEMPT = ("_written",)
"""The key-value cache of inference: a fresh copy, written into once before anybody sees it."""


def complaints(source):
    """What is bound twice (outside loops, which bind anew in each pass) or changed in place, in each function."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for function in (f for f in functions if f.name not in EXEMPT):
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        bound = [argument.arg for argument in arguments]
        for statement in function.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.AugAssign):
                    yield f"{function.name}: {ast.unparse(node)}"
                elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                    yield f"{function.name}: {ast.unparse(node)} is written into"
            targets = [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
            loops = [node.target for node in ast.walk(statement) if isinstance(node, ast.comprehension)]
            inner = {n.id for target in loops for n in ast.walk(target) if isinstance(n, ast.Name)}
            once = dict.fromkeys(name for name in targets if name not in inner and name != "_")
            yield from (f"{function.name}: {name} is bound twice" for name in once if name in bound)
            bound += once


@pytest.mark.parametrize("path", FILES, ids=[str(f.relative_to(SRC)) for f in FILES])
def test_what_a_local_is_called_is_what_it_is(path):
    assert list(complaints(path.read_text())) == []


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("x = x + 1", "f: x is bound twice"),
        ("y = x\n    y = y * 2", "f: y is bound twice"),
        ("x += 1", "f: x += 1"),
        ("x[0] = 1", "f: x[0] is written into"),
    ],
)
def test_the_check_has_teeth(body, wanted):
    assert wanted in list(complaints(f"def f(x):\n    {body}\n    return x\n"))
