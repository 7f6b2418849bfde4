"""The ```console blocks of the pages: commands after `$ `, run from the repository's root, and what they print.

A line `...` on the page stands for any lines. What is shown has to come, in its order.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from course.comparing import difference
from course.page import ROOT, Block

LIMIT = 120
"""Seconds that one command may take."""


def commands(block: Block) -> list[tuple[str, str]]:
    """Each command of a block with the output shown for it."""
    found: list[tuple[str, str]] = []
    for line in block.body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


def run(command: str, folder: Path, keys: str = "") -> str:
    """What a command prints. `python` is the Python that runs this; files that it writes go to `folder`."""
    words = shlex.split(command)
    program = [sys.executable, *words[1:]] if Path(words[0]).name.startswith("python") else words
    scripts = [str(ROOT / word) if (ROOT / word).exists() else word for word in program]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        scripts, cwd=folder, env=environment, input=keys, text=True, capture_output=True, timeout=LIMIT, check=False
    )
    return done.stdout + done.stderr


def missing(shown: str, printed: str) -> str | None:
    """The first shown line that the output lacks, after those shown before it."""
    lines, place = printed.splitlines(), 0
    for line in shown.splitlines():
        if line.strip() in ("...", ""):
            continue
        found = next((i for i in range(place, len(lines)) if difference(line, lines[i]) is None), None)
        if found is None:
            return f"{line!r} was not printed"
        place = found + 1
    return None
