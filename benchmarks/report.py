"""Where a benchmark's figures go: a JSON file with all of them, and a table in README.md between two comments."""

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def save(name: str, figures: dict[str, Any]) -> Path:
    """Write results/<name>.json."""
    path = HERE / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return path


def put_into_readme(name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`; ValueError if the two are not there once."""
    path = HERE / "README.md"
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    between = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    replaced, times = between.subn(lambda _: f"{start}\n{text}\n{end}", path.read_text())
    if times != 1:
        raise ValueError(f"{path} must hold {start} and {end} once")
    path.write_text(replaced)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
