"""The flags of every program that draws tokens, and what they come to."""

import argparse
from typing import Any

from common.errors import UserError
from common.sampling import Sampling
from console.terminal import whole

_FIELDS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def add(p: argparse.ArgumentParser, usual: str) -> None:
    """Add them; `usual` says which temperature there is where nobody names one."""
    p.add_argument("--temperature", type=float, metavar="X", help=f"0 takes the most probable token (default: {usual})")
    p.add_argument("--top-k", type=whole(0, 10**6), metavar="K", help="draw from the k most probable; 0: from all")
    p.add_argument("--top-p", type=float, metavar="P", help="draw from the most probable that reach p together; 1: all")
    p.add_argument("--min-p", type=float, metavar="P", help="draw from those min-p times as probable as the first")
    p.add_argument(
        "--repetition-penalty", type=float, metavar="X", help="above 1: what stands there comes less again; 1: nothing"
    )
    p.add_argument("--seed", type=whole(0, 2**32 - 1), metavar="N", default=0, help="of the draws (default: 0)")


def asked(given: argparse.Namespace) -> dict[str, Any]:
    """The settings of Sampling that were given. Raises UserError, which names the flag, for values that cannot be."""
    found = {name: getattr(given, name) for name in _FIELDS if getattr(given, name) is not None}
    try:
        Sampling(**found)
    except UserError as error:
        name, _, rest = str(error).partition(" ")
        raise UserError(f"{flag(name)} {rest}") from None
    return found


def check_drawn(sampling: Sampling) -> None:
    """Raises UserError for settings of draws where nothing is drawn."""
    idle = [name for name in ("top_k", "top_p", "min_p") if getattr(sampling, name) != getattr(Sampling(), name)]
    if idle and sampling.temperature == 0:
        raise UserError(f"at temperature 0 nothing is drawn: add --temperature 0.8, or leave out {flag(idle[0])}")


def flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"
