"""How much memory the device has."""

import jax


def limit() -> int | None:
    """Bytes that JAX may allocate on the first device; None where it does not say, as on a CPU."""
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
