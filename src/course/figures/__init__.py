"""The pictures of the lessons, each from a real run: `python -m course figures`.

A module `fNN` for each lesson has FIGURES: name -> function. Called with the path of an SVG file, it draws the picture
and returns the numbers that it plotted. Those go into lessons/figures/figures.json, and the tests compare them.
"""

import importlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course.page import LESSONS

FOLDER = LESSONS / "figures"
NUMBERS = FOLDER / "figures.json"
Numbers = dict[str, Any]
"""What a picture shows: lists and numbers, by name, rounded to six significant digits."""


def every() -> dict[str, Callable[[Path], Numbers]]:
    """The pictures by name, like `f02_mask`."""
    found: dict[str, Callable[[Path], Numbers]] = {}
    for path in sorted(Path(__file__).parent.glob("f[0-9][0-9].py")):
        module = importlib.import_module(f"course.figures.{path.stem}")
        found |= {f"{path.stem}_{name}": draw for name, draw in module.FIGURES.items()}
    return found


def draw(lesson: str | None = None) -> list[Path]:
    """Draw the pictures, of one lesson or of all, and write down their numbers."""
    known = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    drawn = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, function in every().items():
        if lesson in (None, name[1:3]):
            path = FOLDER / f"{name}.svg"
            known[name] = rounded(function(path))
            drawn.append(path)
    NUMBERS.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return drawn


def rounded(value: Any) -> Any:
    """The numbers of a picture as they are written down."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return rounded(value.tolist())
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) and math.isfinite(value) else value
