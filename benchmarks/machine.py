"""What a benchmark ran on, in words that anybody can compare with their own machine."""

import ctypes
import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np


def describe(*packages: str) -> dict[str, str]:
    """Processor, cores this process may use, C library, BLAS and its threads, versions; and those of `packages`."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload]
    words = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver()) or 'libc unknown'}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}{_kernels()}".strip(),
        "blas threads": os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or "default",
    }
    return words | {package: importlib.metadata.version(package) for package in packages}


def sentence(words: dict[str, str]) -> str:
    """The description as one line of Markdown."""
    return "Machine: " + ", ".join(f"{name} {value}" for name, value in words.items()) + "."


def _processor() -> str:
    """Linux names it in a file; elsewhere Python's own word has to do."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _kernels() -> str:
    """Which of its kernels OpenBLAS chose for this processor: the same library is many times slower with old ones."""
    for path in (Path(np.__file__).parent.parent / "numpy.libs").glob("*openblas*"):
        library = ctypes.CDLL(str(path))
        for name in ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename", "openblas_get_corename"):
            if hasattr(library, name):
                get = getattr(library, name)
                get.restype = ctypes.c_char_p
                return f" ({get().decode()} kernels)"
    return ""
