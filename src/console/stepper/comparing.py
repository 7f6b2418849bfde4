"""The command `jax`: the twin on the same weights and batch, as held against by console/stepper/agreeing.py."""

from typing import TYPE_CHECKING

from common.errors import UserError
from console.page import lines, table
from console.stepper import agreeing, breaking, shown
from console.stepper.checking import problem_of
from console.stepper.commands import Command, Shown
from console.stepper.verdicts import some

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


def jax(stepper: "Stepper", words: list[str]) -> Shown:
    """The twin on the same weights and batch."""
    problem = problem_of(stepper)
    dtype = words[0] if words else "float32"
    if dtype not in ("float32", "float64") or len(words) > 1:
        raise UserError("it is used like this: jax [float32 | float64]")
    if agreeing.first_time(problem, dtype):
        stepper.session.say("JAX is compiling, first time only ...")
    found = agreeing.compare(problem, dtype)
    rows = table("", "largest difference>")
    rows.add_row("loss", f"{found.loss:.1e}")
    rows.add_row("logits", f"{found.logits:.1e}")
    for name, apart in found.grads.items():
        rows.add_row(name, f"{apart:.1e}", style="bold red" if apart > found.bar else "")
    head = f"NumPy {found.losses[0]:.9f}, JAX on {found.device} {found.losses[1]:.9f} nats, in {dtype}."
    return shown.over(lines(head, ""), rows, lines("", *_agreement(found)))


def _agreement(found: agreeing.Agreement) -> list[str]:
    told = "Differences are relative to the largest entry of JAX's tensor."
    worst = f"the largest of a gradient is {found.grads[found.worst]:.1e}, in {found.worst}"
    if found.agree:
        return [told, f"The twins agree: {worst}; the bar in {found.dtype} is {found.bar:.0e}."]
    verdict = (
        f"The twins DIFFER by more than {found.bar:.0e}: {worst}; {len(found.apart)} gradients: {some(found.apart)}."
    )
    if breaking.active():
        return [told, verdict, f"NumPy's backward is broken: {', '.join(breaking.active())}. `fix` mends it."]
    return (
        [told, verdict] if found.dtype == "float64" else [told, verdict, "`jax float64` tells whether it is rounding."]
    )


COMMANDS = (
    Command(("jax",), "jax [float64]", "Run the twin on the same weights and batch: how far apart they are.", jax),
)
