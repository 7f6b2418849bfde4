"""The command `why`: what console/stepper/explaining.py has found out about a number."""

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from common import tree
from common.errors import UserError
from common.trace import Trace
from console.page import lines, table
from console.stepper import explaining, names, shown
from console.stepper.commands import Command, Shown

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


def why(stepper: "Stepper", words: list[str]) -> Shown:
    """The line that made a number, what went in, and who called."""
    if not words:
        raise UserError("`why` needs a name: why head.w, why blocks.0.attn/attend.forward/w_BNGTS")
    moment, view = stepper.moment, stepper.view
    found = names.find("".join(words), moment, view, stepper.station.name.partition(" ")[2])
    parameters = tree.named(moment.params)
    name = found.name.removeprefix("grad.")
    if name in parameters:
        reason = explaining.gradient(moment.look.trace, moment.grads, name)
        index, head = found.at, [f"The gradient of {name}, {shown.shape(reason.value)}, was made in {reason.call}."]
        head += _elsewhere(reason, name)
    elif "/" in name:
        reason = explaining.local(_trace_of(stepper, name), name)
        index, head = found.at, [f"{reason.local}, {shown.shape(reason.value)}, in {reason.call}."]
    else:
        raise UserError(f"{found.name} was made by numpy_ref/optim.py: the optimizer's station shows how")
    return _reason(reason, index, head)


def _trace_of(stepper: "Stepper", name: str) -> Trace:
    look = stepper.view.look(stepper.moment)
    return look.trace if any(one == name for one in look.trace.names()) else stepper.moment.look.trace


def _elsewhere(reason: explaining.Reason, name: str) -> list[str]:
    place = name.rpartition(".")[0]
    made_at = reason.call.partition("/")[0]
    if not made_at or made_at == place:
        return []
    return [f"That is not its own place, {place}: the callers below tell how it came there."]


def _reason(reason: explaining.Reason, index: tuple[Any, ...], head: list[str]) -> RenderableType:
    source = [f"    {line.strip()}" for line in reason.source.splitlines()]
    made = [reason.where, *source] if source else [f"{reason.where}: given by the caller"]
    parts: list[RenderableType] = [lines(*head, "", *made)]
    if reason.inputs:
        rows = table("from", "")
        for one in reason.inputs:
            rows.add_row(one.name, _described(one.value))
        parts += [Text(""), rows]
    parts += [Text(""), *_values(reason, index)]
    parts.append(lines(*(f"{'called by' if i == 0 else '  then'} {line}" for i, line in enumerate(reason.callers))))
    return shown.over(*parts)


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return f"{' x '.join(map(str, value.shape))}, {value.dtype}"
    if isinstance(value, bool | int | float | str | np.generic | np.ndarray):
        return str(value)
    return type(value).__name__


def _values(reason: explaining.Reason, index: tuple[Any, ...]) -> list[RenderableType]:
    """The operands of one entry where it is clear which they are."""
    given = explaining.operands(reason, index)
    if not given:
        return []
    made = f"{reason.local}[{','.join(map(str, index))}] = {np.asarray(reason.value)[index]:.8g}"
    return [lines(made, *(f"  from {one.name} = {one.value:.8g}" for one in given), "")]


COMMANDS = (
    Command(
        ("why",),
        "why NAME",
        "The line of code that made a number or a gradient, what went in, and who called it.",
        why,
    ),
)
