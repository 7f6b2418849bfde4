"""What the report's own script answers, frozen in tests/golden/report.json so that a machine without Node can test it.

python tests/oracle/report.py            write the file (needs Node)
"""

import hashlib
import json
import subprocess
import tempfile
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from common import checkpoint
from common.config import DigitsConfig
from console.report import exporting, page

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "golden" / "report.json"
SHIPPED = TESTS.parent / "checkpoints" / "digits-medium.safetensors"
TEXTS = ["Max ( 5 3 9 )", "second 0 1 2", "LAST(7,7,0)", "Min(1 2 3 4 5 6 7 8 9)", "First 4"]


class Data(NamedTuple):
    """What exporting asks of a run's data where no weight is rounded."""

    task: DigitsConfig


def digest() -> str:
    """Of all that the answers come from: the script and the weights."""
    files = [resources.files("console.report") / name for name in page.SCRIPTS["arithmetic"]]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + SHIPPED.read_bytes()).hexdigest()


def made() -> list[dict]:
    model = checkpoint.load_model(SHIPPED)
    assert isinstance(model.task, DigitsConfig)
    told = exporting.of(model.params, model.config, Data(model.task), page.LIMIT)
    with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as file:
        file.write(page.build("", {"model": told}))
        file.flush()
        command = ["node", str(TESTS / "report_check.mjs"), file.name]
        done = subprocess.run(command, input=json.dumps(TEXTS), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({"sha256": digest(), "answers": made()}, separators=(",", ":")) + "\n")
