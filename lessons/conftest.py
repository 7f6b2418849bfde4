"""Every block of every page is a test: `python -m pytest lessons`."""

import sys

from sybil import Sybil

from common.threads import one_blas_thread
from course.collecting import regions

one_blas_thread()


def leave(namespace: dict) -> None:
    """A page may turn on JAX's float64 for itself; the tests after it begin as they would without it."""
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", False)


pytest_collect_file = Sybil(parsers=[regions], patterns=["[0-9][0-9]_*.md"], teardown=leave).pytest()
