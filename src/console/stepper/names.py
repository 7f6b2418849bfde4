"""Everything that has a name: parameters, gradients, what the optimizer keeps, and every recorded local.

head.w              a parameter before the update        after.head.w   after it
grad.head.w         its gradient                         m.head.w, v.head.w   what the optimizer keeps of it, after
blocks.1.attn/attend.forward/w_BNGTS                     a local of a call; any end of a name that is unique will do
"""

import difflib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from common import tree
from common.errors import UserError
from common.types import Array
from console.stepper.moment import Moment
from console.stepper.view import View

Index = tuple[Any, ...]
_FORM = re.compile(r"([^\[\]]+?)(?:\[([^\[\]]*)\])?")


class Found(NamedTuple):
    """A number or an array that was recorded."""

    name: str
    """In full."""
    at: Index
    whole: Array
    value: Array
    """`whole` at `at`."""


def split(text: str) -> tuple[str, Index]:
    """`head.w[0,3]` -> `head.w`, (0, 3). Raises UserError for brackets that hold no indices."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise UserError(f"{text!r} is no name: it looks like head.w or head.w[0,3] or head.w[:4]")
    return found[1].strip(), _index(found[2], text)


def _index(inside: str | None, text: str) -> Index:
    if inside is None or not inside.strip():
        return ()
    try:
        return tuple(_one(word.strip()) for word in inside.split(","))
    except ValueError:
        raise UserError(f"{text!r}: between the brackets stand whole numbers, `a:b` or `...`, with commas") from None


def _one(word: str) -> Any:
    if word == "...":
        return ...
    if ":" in word:
        return slice(*(int(part) if part else None for part in word.split(":")))
    return int(word)


def find(text: str, moment: Moment, view: View, near: str = "") -> Found:
    """The value of a name. `near` is a place that is preferred where an end of a name fits several.

    Raises UserError for an unknown name, with those near it, and for an index outside.
    """
    name, index = split(text)
    everything = dict(listed(moment, view))
    full = _resolve(name, everything, near)
    whole = np.asarray(everything[full])
    try:
        return Found(full, index, whole, whole[index])
    except IndexError:
        raise UserError(f"{full} has the shape {whole.shape}: there is no [{text.partition('[')[2]}") from None


def listed(moment: Moment, view: View) -> Iterator[tuple[str, Array]]:
    """Every name with its array."""
    yield from tree.items(moment.params)
    trees = {"grad": moment.grads, "after": moment.after.params}
    trees |= {kept: moment.opt_after[kept] for kept in ("m", "v") if kept in moment.opt_after}
    for prefix, part in trees.items():
        for name, leaf in tree.items(part):
            yield f"{prefix}.{name}", leaf
    seen = set()
    for call in (*view.look(moment).trace.calls, *moment.look.trace.calls):
        for local, value in call.locals.items():
            full = f"{call.name}/{local}"
            if isinstance(value, np.ndarray | np.generic) and full not in seen:
                seen.add(full)
                yield full, np.asarray(value)


SHORT = {"q": "q_turned_BTNGK", "k": "k_turned_BSNK", "v": "v_BSNK", "w": "w_BNGTS", "scores": "a_BNGTS"}
"""At an attention station: what a letter stands for."""


def _resolve(name: str, everything: dict[str, Array], near: str) -> str:
    if name in everything:
        return name
    wanted = f"{near}/attention.forward/{SHORT[name]}" if near and name in SHORT else ""
    if name in ("w", "scores") and near:
        wanted = f"{near}/attend.forward/{SHORT[name]}"
    if wanted in everything:
        return wanted
    ends = [full for full in everything if full.endswith((f"/{name}", f".{name}"))]
    here = [full for full in ends if near and full.startswith(near)]
    for fitting in (here, ends):
        if len(fitting) == 1:
            return fitting[0]
    if here or ends:
        few = " or ".join((here or ends)[:4])
        raise UserError(f"{len(here or ends)} names end in {name}: say which, {few}")
    raise UserError(f"nothing is called {name!r}{_close(name, everything)}; `names WORD` lists what holds a word")


def _close(name: str, everything: dict[str, Array]) -> str:
    close = difflib.get_close_matches(name, list(everything), n=3, cutoff=0.5)
    close += [full for full in everything if full.endswith(name[-6:])][: 3 - len(close)] if len(name) > 3 else []
    return f": near it are {', '.join(close)}" if close else ""
