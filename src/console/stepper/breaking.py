"""Swap a wrong backward pass into `numpy_ref` for this process, and out again. No file is ever touched.

A swapped function belongs to `numpy_ref` as far as a trace can see, so that `why` leads to its lines.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from common.errors import UserError
from console.stepper.breaks import BREAKS, Break
from console.stepper.commands import near

_right: dict[tuple[str, str], tuple[ModuleType, Any]] = {}
_active: list[Break] = []


def named(name: str) -> Break:
    """The break of that name, or of the name that lesson 07 calls it by. Raises UserError, with the names near it."""
    for one in BREAKS:
        if name.lower() in (one.name, one.places[0].wrong.__name__):
            return one
    known = [one.name for one in BREAKS]
    raise UserError(f"there is no break called {name!r}{near(name, known)}; `break` lists them")


def active() -> tuple[str, ...]:
    """The names of what is broken now."""
    return tuple(one.name for one in _active)


def swap(name: str) -> Break:
    """Put a wrong backward in. Raises UserError for an unknown name, and where another wrong one stands already."""
    chosen = named(name)
    for other in _active:
        if other is chosen:
            raise UserError(f"{chosen.name} is broken already; `fix` mends it")
        if {place[:2] for place in other.places} & {place[:2] for place in chosen.places}:
            raise UserError(f"{chosen.name} would take the place of {other.name}: `fix {other.name}` first")
    for module, attribute, function in chosen.places:
        _right[module.__name__, attribute] = (module, getattr(module, attribute))
        setattr(module, attribute, _adopted(function, module, attribute))
    _active.append(chosen)
    return chosen


def mend(name: str | None = None) -> tuple[str, ...]:
    """Put the shipped functions back, of one break or of all; the names of what was mended. Raises UserError."""
    chosen = list(_active) if name is None else [named(name)]
    for one in chosen:
        if one not in _active:
            raise UserError(f"{one.name} is not broken; broken now: {', '.join(active()) or 'nothing'}")
        for place in one.places:
            module, right = _right.pop((place.module.__name__, place.attribute))
            setattr(module, place.attribute, right)
        _active.remove(one)
    return tuple(one.name for one in chosen)


def shipped_name(function: str) -> str:
    """What the source calls a function that a trace has seen: a swapped one is called by the name it took over."""
    for one in BREAKS:
        for place in one.places:
            if function.rpartition(".")[2] == place.wrong.__name__:
                return f"{place.module.__name__.rpartition('.')[2]}.{place.attribute}"
    return function


def written_in(file: str) -> str:
    """Where a function that a trace has seen is written, also one that was swapped in."""
    path = Path(file)
    return str(path.parent if path.parent.suffix == ".py" else path)


@cache
def _adopted(function: Any, module: ModuleType, attribute: str) -> Callable[..., Any]:
    """The same function, told that it is part of `numpy_ref`: common/trace.py sees no other calls.

    One that does not call the shipped function takes its name in the trace as well, since nothing else has it then.
    """
    world = function.__globals__ | {"__name__": f"numpy_ref.{function.__module__}"}
    code = function.__code__
    if function.__defaults__ is None:
        stem = module.__name__.rpartition(".")[2]
        code = code.replace(co_name=attribute, co_filename=f"{code.co_filename}/{stem}.py")
    return FunctionType(code, world, function.__name__, function.__defaults__, function.__closure__)
