"""Choose the device and say what it is. Call `use` before the first computation: JAX looks for devices only once."""

import contextlib
import os
from pathlib import Path

import jax

from common.errors import UserError


def use(platform: str | None = None) -> None:
    """Run on `cpu`, `gpu` or `tpu`; None leaves the choice to JAX. Keep compiled programs for the next start.

    Raises UserError where there is no such device.
    """
    if platform is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda,rocm"}.get(platform, platform))
    try:
        jax.devices()
    except RuntimeError as error:
        raise UserError(f"JAX finds no {platform} here ({_first_line(error)}); leave out --device") from None
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        folder = _cache_folder()
        with contextlib.suppress(OSError):  # where nothing can be kept, every start compiles: slower, and right
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                jax.config.update("jax_compilation_cache_dir", str(folder))
                jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "transformer-twins" / "xla"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else "no reason given"


def describe() -> str:
    """The device in words: its kind, and how many there are."""
    devices = jax.devices()
    kind = devices[0].device_kind
    name = kind if kind.lower() != devices[0].platform else devices[0].platform.upper()
    return name if len(devices) == 1 else f"{len(devices)} x {name}"


def is_accelerator() -> bool:
    return jax.default_backend() != "cpu"
