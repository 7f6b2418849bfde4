"""The letters at the end of a name are its shape: checked while forward and backward of every case run.

In one call a letter stands for one size, and 1 for an axis of size one.
"""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from cases import CASES
from common.trace import Call, Trace

ANY_RANK = ("linear", "relu", "gelu", "silu", "rope", "softmax", "dropout")
"""Modules whose functions take arrays of any rank, under bare names (x, y, dx, dy)."""

every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def letters(local: str) -> str | None:
    """`BTD` of `x_BTD`, None of `saved_q`."""
    found = re.search(r"_([A-Z1]*[A-Z][A-Z1]*|1+)$", local)
    return found and found[1]


def complaints(call: Call) -> Iterator[str]:
    """What is wrong with the names of the arrays of one call."""
    sizes = {"1": 1}
    module = call.function.split(".")[0]
    for local, value in call.locals.items():
        shape, suffix = value.shape if hasattr(value, "shape") else None, letters(local)
        if suffix is None:
            if shape is not None and len(shape) >= 2 and module not in ANY_RANK and not local.startswith("saved"):
                yield f"{call.name}: {local} has shape {shape} and no letters"
        elif shape is None:
            yield f"{call.name}: {local} has letters and is no array"
        elif len(shape) != len(suffix):
            yield f"{call.name}: {local} has shape {shape}"
        else:
            for letter, size in zip(suffix, shape, strict=True):
                if sizes.setdefault(letter, size) != size:
                    yield f"{call.name}: {local} has shape {shape}, but {letter} was {sizes[letter]}"


def traced(case) -> list[Call]:
    forward, backward = case.functions()
    with Trace(case.args[0]) as trace:
        y, saved = forward(*case.args, **case.kw)
        backward(np.ones_like(y), saved)
    return trace.calls


@every_case
def test_letters_are_shapes(case):
    calls = traced(case)
    assert {call.function.split("#")[0].split(".")[1] for call in calls} >= {case.forward, case.backward}
    assert [text for call in calls for text in complaints(call)] == []


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("y_BT = x_BTD", "y_BT has shape (2, 3, 5)"),
        ("y_BDT = x_BTD", "y_BDT has shape (2, 3, 5), but D was 5"),
        ("y_TBD = x_BTD.swapaxes(0, 1)[:, :1]", "y_TBD has shape (3, 1, 5), but B was 2"),
        ("y_BT1 = x_BTD", "y_BT1 has shape (2, 3, 5), but 1 was 1"),
        ("y = x_BTD * 2", "y has shape (2, 3, 5) and no letters"),
        ("y_D = float(x_BTD[0, 0, 0])", "y_D has letters and is no array"),
        ("y_ = x_BTD[0]", "y_ has shape (3, 5) and no letters"),
    ],
)
def test_a_wrong_name_is_noticed(body, wanted):
    place = {"__name__": "numpy_ref.layers.planted"}
    exec(compile(f"def forward(x_BTD):\n    {body}\n    return x_BTD, ()", "planted.py", "exec"), place)
    with Trace({}) as trace:
        place["forward"](np.ones((2, 3, 5)))
    assert [text for call in trace.calls for text in complaints(call)][:1] == [f"/planted.forward: {wanted}"]


def test_right_names_pass():
    place = {"__name__": "numpy_ref.layers.planted"}
    body = "    y_TD, r_BT1, saved_q, n, b_1D = x_BTD[0], x_BTD[..., :1], (x_BTD,), x_BTD[0, 0], x_BTD[0, :1]\n"
    exec(compile(f"def forward(x_BTD):\n{body}    return x_BTD, ()", "planted.py", "exec"), place)
    with Trace({}) as trace:
        place["forward"](np.ones((2, 3, 5)))
    assert [text for call in trace.calls for text in complaints(call)] == []
