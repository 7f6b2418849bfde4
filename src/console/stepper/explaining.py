"""Why a number is what it is: the line of source that made it, what went in, and who called whom.

A trace knows each call's function, place and locals (common/trace.py). The line is found in the source, as the last
assignment of that name before the call returned; the callers by the order in which the calls returned.
"""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from common import tree
from common.trace import Call, Trace
from common.types import Array, Tree
from console.stepper import breaking, sources


class Input(NamedTuple):
    """A name on the right side of the line."""

    name: str
    value: Any


class Reason(NamedTuple):
    """Where a number comes from."""

    call: str
    """The call that made it, in full: `blocks.1.attn/attend.forward`."""
    local: str
    """What it is called there; empty where it has no name of its own."""
    source: str
    """The lines that made it, as they are written; empty where it was given by the caller."""
    where: str
    """`numpy_ref/ops/attend.py:31`."""
    inputs: list[Input]
    value: Array
    callers: list[str]
    """From the function that called outwards: `attention.backward, numpy_ref/layers/attention.py:51`."""


def gradient(trace: Trace, grads: Tree, name: str) -> Reason:
    """Where the gradient of a parameter was made. Raises KeyError if there is none of that name."""
    leaf = tree.named(grads)[name]
    for call in trace.calls:
        for short, value in call.locals.items():
            if value is leaf:
                return _reason(trace, call, short, leaf)
        for result in call.result if isinstance(call.result, tuple) else (call.result,):
            if isinstance(result, dict):
                for path, part in tree.items(result):
                    if part is leaf:
                        return _returned(trace, call, path.rpartition(".")[2], leaf)
    raise KeyError(name)


def local(trace: Trace, name: str) -> Reason:
    """Where a recorded local was made, by its full name. Raises KeyError."""
    call_name, _, short = name.rpartition("/")
    for call in trace.calls:
        if call.name == call_name and short in call.locals:
            return _reason(trace, call, short, call.locals[short])
    raise KeyError(name)


def operands(reason: Reason, index: tuple[Any, ...]) -> list[Input]:
    """The inputs of one entry, where it is clear which they are: arrays that meet the result entry by entry.

    Empty for a line that does more than arithmetic, and for an index that is not of one entry.
    """
    whole = all(isinstance(i, int) for i in index) and len(index) == np.ndim(reason.value)
    if not index or not whole or not _elementwise(reason.source):
        return []
    found = []
    for given in reason.inputs:
        shape = np.shape(given.value)
        if len(shape) > len(index) or not isinstance(given.value, np.ndarray | np.generic | float | int):
            return []
        places = tuple(0 if size == 1 else i for size, i in zip(shape, index[len(index) - len(shape) :], strict=True))
        found.append(Input(f"{given.name}[{','.join(map(str, places))}]" if shape else given.name,
                           np.asarray(given.value)[places]))  # fmt: skip
    return found


def _elementwise(source: str) -> bool:
    """Whether a line is arithmetic of names and nothing else: no call, no matrix product, no index."""
    try:
        [line] = ast.parse(source.strip()).body
    except (SyntaxError, ValueError):
        return False
    allowed = (ast.BinOp, ast.UnaryOp, ast.Name, ast.Constant, ast.operator, ast.unaryop, ast.expr_context)
    value = getattr(line, "value", None)
    return value is not None and all(
        isinstance(node, allowed) and not isinstance(node, ast.MatMult) for node in ast.walk(value)
    )


def _reason(trace: Trace, call: Call, short: str, value: Any) -> Reason:
    line = sources.assignment(call, short)
    if line is None:
        return Reason(call.name, short, "", sources.where(call, call.line), [], value, list(_callers(trace, call)))
    return _made(trace, call, short, line, value)


def _returned(trace: Trace, call: Call, key: str, value: Any) -> Reason:
    """A gradient without a name of its own: the part of a dict that the function returned."""
    found = [
        part
        for node in sources.body(call)
        if isinstance(node, ast.Dict)
        for name, part in zip(node.keys, node.values, strict=True)
        if isinstance(name, ast.Constant) and name.value == key
    ]
    if not found:
        return _reason(trace, call, "", value)
    return _made(trace, call, "", found[0], value)


def _made(trace: Trace, call: Call, short: str, node: ast.AST, value: Any) -> Reason:
    read = [n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    ordered = dict.fromkeys(n.id for n in sorted(read, key=lambda n: (n.lineno, n.col_offset)))
    names = [name for name in ordered if name in call.locals and name != short]
    inputs = [Input(name, call.locals[name]) for name in names]
    where = sources.where(call, getattr(node, "lineno", call.line))
    return Reason(call.name, short, sources.written(call, node), where, inputs, value, list(_callers(trace, call)))


def _callers(trace: Trace, call: Call) -> Iterator[str]:
    """Each caller outwards, with the line of the call where the source tells it."""
    inner, index = call, next(i for i, one in enumerate(trace.calls) if one is call)
    for at, outer in enumerate(trace.calls[index + 1 :], index + 1):
        if outer.depth == inner.depth - 1:
            yield f"{outer.name}, {sources.where(outer, _called_at(trace, inner, outer, at))}"
            inner = outer


def _called_at(trace: Trace, inner: Call, outer: Call, end: int) -> int:
    """The line in `outer` that called `inner`; where it cannot be told, that on which `outer` returned."""
    plain = inner.function.partition("#")[0]
    siblings: list[Call] = []
    for one in reversed(trace.calls[:end]):
        if one.depth <= outer.depth:
            break
        if one.depth == inner.depth and one.function.partition("#")[0] == plain:
            siblings.insert(0, one)
    module, _, function = breaking.shipped_name(plain).rpartition(".")
    wanted = {f"{module}.{function}", function}
    lines = [
        node.lineno for node in sources.body(outer) if isinstance(node, ast.Call) and ast.unparse(node.func) in wanted
    ]
    lines.sort()
    if len(set(lines)) == 1:
        return lines[0]
    place = next(i for i, one in enumerate(siblings) if one is inner)
    return lines[place] if len(lines) == len(siblings) else outer.line
