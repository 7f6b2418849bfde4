"""Set up before any test module is imported."""

import os

from common.threads import one_blas_thread

one_blas_thread()
# The tests compile many small programs and run each a few times: less optimizing, and float64 agrees just as well.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
