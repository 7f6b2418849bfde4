"""Set up before any test module is imported."""

import os

from common.threads import one_blas_thread

one_blas_thread()
# The tests compile many small programs and run each a few times: less optimizing, and float64 agrees just as well.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
# Figures are held to bars that a CPU meets; an accelerator rounds matrix products differently, may have no float64, and
# is asked by benchmarks/accelerator.py instead. Whoever sets this variable decides.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
