"""Set up before any test module is imported."""

from common.threads import one_blas_thread

one_blas_thread()
