"""Packages that only some of the program needs: imported when they are needed, and named when they are missing."""

import importlib
import warnings
from typing import Any

from common.errors import UserError


def package(name: str, what_for: str) -> Any:
    """The module `name`. Raises UserError, which begins with `what_for`, where it is missing or does not load."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a package says about itself while it loads is not for our users
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        root = name.split(".", maxsplit=1)[0]
        if (error.name or "").split(".")[0] != root:
            raise UserError(
                f"{what_for} needs the package {root}, which lacks {error.name}; install that too"
            ) from None
        raise UserError(f"{what_for} needs the package {root}: .venv/bin/python -m pip install {root}") from None
    except ImportError as error:
        raise UserError(f"{what_for} needs the package {name}, which does not load: {error}") from None
