"""Swap a wrong backward pass into `numpy_ref` for this process, and out again. No file is ever touched.

The errors are those of course/planted.py, which lesson 07 trains with, and those of console/stepper/wrong.py, which
bring them to the other model families. A swapped function belongs to `numpy_ref` as far as a trace can see, so that
`why` leads to its lines.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from common.errors import UserError
from console.stepper import wrong
from console.stepper.commands import near
from course import planted
from numpy_ref.layers import attention, linear, rmsnorm
from numpy_ref.models import gpt, llama, seq2seq
from numpy_ref.ops import attend, cross_entropy

PUBLISHED = "It stood in a published transformer in NumPy whose own tests passed and that reported 99 % right"


class Place(NamedTuple):
    """A shipped function, and what takes its place."""

    module: ModuleType
    attribute: str
    wrong: Callable[..., Any]


class Break(NamedTuple):
    """A wrong backward, by name."""

    name: str
    what: str
    """One sentence: what is wrong."""
    seen: str
    """One sentence: where it was seen, or how it comes about."""
    places: tuple[Place, ...]


def _planted(name: str, *more: Place) -> tuple[Place, ...]:
    return (Place(*planted.HOME[name], getattr(planted, name)), *more)


LOST = (
    Place(gpt, "block_backward", wrong.lost_gpt),
    Place(llama, "block_backward", wrong.lost_llama),
    Place(seq2seq, "encoder_backward", wrong.lost_encoder),
    Place(seq2seq, "decoder_backward", wrong.lost_decoder),
)
RMS = Place(rmsnorm, "backward", wrong.constant_length)

BREAKS = (
    Break(
        "double-softmax",
        "The gradient of the logits goes through softmax's derivative twice; p - y has it in it already.",
        f"{PUBLISHED}, beside copy-qk.",
        _planted("twice", Place(cross_entropy, "backward_weighted", wrong.twice_weighted)),
    ),
    Break(
        "copy-qk",
        "The weights of queries and keys get copies of the gradient of the values.",
        f"{PUBLISHED}, beside double-softmax.",
        (Place(attention, "backward", wrong.copied),),
    ),
    Break(
        "overwrite-scatter",
        "A token that stands in several places keeps the gradient of the last of them alone.",
        "It is `dw[tokens] = dy` where a sum is meant, and right as long as no token repeats.",
        _planted("overwriting"),
    ),
    Break(
        "forget-mask",
        "The shares of attention are computed again for the way back, without the mask.",
        "It comes with saving memory by computing again, and is right as long as nothing is masked.",
        (Place(attend, "backward", wrong.unmasked),),
    ),
    Break(
        "no-residual-grad",
        "The residual sums send their gradient into the sublayers and none past them.",
        "It is a `+` left out, and every gradient below the last sum suffers.",
        _planted("lost", *LOST),
    ),
    Break(
        "half-layernorm",
        "The norm's gradient lacks the term that removes its part along the normalized vector.",
        "It is the derivative with the vector's own length taken for a constant.",
        _planted("lengthening", RMS),
    ),
    Break(
        "constant-norm",
        "The norm's mean and length are taken for constants.",
        "It passes for a simplification, but the terms left out are what couples the numbers of a token.",
        _planted("constant", RMS),
    ),
    Break(
        "sign",
        "The gradients of the weights of queries and keys have the wrong sign.",
        "It is one lost minus.",
        _planted("uphill"),
    ),
    Break(
        "zero-qk",
        "The weights of queries and keys get no gradient: the heads are never told where to look.",
        "It is a path that was forgotten, and no shape complains.",
        _planted("blind"),
    ),
    Break(
        "diagonal-softmax",
        "Softmax is differentiated as if each share hung on its own score alone.",
        "It is the logistic function's derivative where softmax's is meant.",
        _planted("uncoupled"),
    ),
    Break(
        "no-scale",
        "Scores were divided by sqrt(K) on the way forward and are not on the way back.",
        "It is a constant factor forgotten, and Adam divides most of it out again.",
        _planted("unscaled"),
    ),
    Break(
        "no-transpose",
        "dx = dy @ w, without the transpose, wherever w is square and nothing complains.",
        "It is a slip that shapes catch everywhere but in attention.",
        _planted("untransposed"),
    ),
    Break(
        "scale-1.001",
        "The gradient of every weight matrix is a thousandth too large.",
        "It is the smallest error a check should find: tolerances of a percent let it through.",
        (Place(linear, "backward", wrong.scaled),),
    ),
)
"""By name, those of the published code first."""

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
