"""See every named number of a forward or backward while it runs, without a line of tracing in the numerical code.

    with Trace(params) as trace:
        logits_BC, saved = classifier.forward(params, ...)
        classifier.backward(dlogits_BC, saved)
    trace["blocks.1.attn/attend.forward/w_BNGTS"]

Python calls a profile function whenever a function returns; it can read that function's locals. In ops, layers and
models no name is bound twice outside a loop and no array is changed after it has its name, so what a local is called is
what it is; of a loop's names the trace shows the last pass, and the passes themselves as calls of their own.

A name is `place/module.function/local`. The place is the path of the parameter subtree the call was given
(`blocks.1.attn`); a call without parameters (`attend`, `softmax`) has the place of its caller, and a backward has the
place of the forward that made its `saved`. The second call of one function in one place is `module.function#2`.

Only calls into `numpy_ref` are seen, only on the thread that opened the trace.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np

from common.types import Tree


@dataclass(frozen=True)
class Call:
    """One call that returned, in the order of returning."""

    place: str
    function: str
    """`module.function`, with `#2` from the second call in one place on."""
    locals: dict[str, Any]
    result: Any
    file: str
    line: int
    depth: int

    @property
    def name(self) -> str:
        return f"{self.place}/{self.function}"


@dataclass
class Trace:
    """Record calls into `numpy_ref` between `__enter__` and `__exit__`. Locals are kept by reference, not copied."""

    params: Tree
    calls: list[Call] = field(default_factory=list)
    package: str = "numpy_ref"
    """Whose functions are seen. In `jax_impl` a forward has to run without `jit` to have numbers."""

    def __enter__(self) -> Self:
        self._places = {id(node): path for path, node in _nodes(self.params)}
        self._saved: dict[int, str] = {}
        self._stack: list[tuple[FrameType, str]] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._before = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def __getitem__(self, name: str) -> Any:
        """The local of that full name. Raises KeyError."""
        call_name, _, local = name.rpartition("/")
        for call in self.calls:
            if call.name == call_name and local in call.locals:
                return call.locals[local]
        raise KeyError(name)

    def names(self) -> Iterator[str]:
        """Full names of all locals, in the order of returning."""
        for call in self.calls:
            for local in call.locals:
                yield f"{call.name}/{local}"

    def _event(self, frame: FrameType, event: str, arg: Any) -> None:
        if event not in ("call", "return") or not _belongs(frame, self.package):
            return
        if event == "call":
            self._stack.append((frame, self._place(frame)))
        elif self._stack and self._stack[-1][0] is frame:
            _, place = self._stack.pop()
            self._returned(frame, place, arg)

    def _place(self, frame: FrameType) -> str:
        given = frame.f_locals
        for value in given.values():
            if id(value) in self._places:
                return self._places[id(value)]
        if "saved" in given and id(given["saved"]) in self._saved:
            return self._saved[id(given["saved"])]
        return self._stack[-1][1] if self._stack else ""

    def _returned(self, frame: FrameType, place: str, result: Any) -> None:
        code = frame.f_code
        function = f"{Path(code.co_filename).stem}.{code.co_name}"
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], (tuple, np.ndarray)):
            # the Call below keeps the result alive, so its id stays its own; None, and the 1.0 that dropout saves at
            # rest, are the same object for everybody
            self._saved[id(result[1])] = place
        number = self._counts[place, function] = self._counts.get((place, function), 0) + 1
        label = function if number == 1 else f"{function}#{number}"
        call = Call(place, label, dict(frame.f_locals), result, code.co_filename, frame.f_lineno, len(self._stack))
        self.calls.append(call)


def _nodes(tree: Tree, path: str = "") -> Iterator[tuple[str, Tree]]:
    """Every dict of the tree with its path. Lists and arrays are not what a layer is given."""
    if isinstance(tree, dict):
        yield path, tree
    children: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from _nodes(child, f"{path}.{key}" if path else str(key))


def _belongs(frame: FrameType, package: str) -> bool:
    name = frame.f_globals.get("__name__", "")
    # comprehensions and lambdas are part of the function around them
    return name.startswith(f"{package}.") and not frame.f_code.co_name.startswith("<")
