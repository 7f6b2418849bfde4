"""Where a run is written."""

import os
from pathlib import Path

from common.errors import UserError
from console.options import Options
from console.session import LAST


def choose(asked: Options, name: str) -> Path:
    """`--out`, which must not hold a run yet; or the first free name in runs/."""
    out = asked.out
    if out is None:
        folder, number = Path("runs") / name, 1
        while folder.exists():
            number += 1
            folder = Path("runs") / f"{name}-{number}"
        return folder
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"{out} cannot be used as a folder: {there} is a file; give --out another name")
    if not os.access(there, os.W_OK):
        raise UserError(f"{out} cannot be used as a folder: nothing may be written in {there}; give --out another name")
    if any((out / held).exists() for held in (LAST, "population.json")) and not asked.overwrite:
        raise UserError(f"{out} already holds a run: add --overwrite to lose it, or --resume {out} instead of --out")
    return out
