"""How many threads the matrix products may use. Import nothing heavy here: it has to run before NumPy is imported.

The matrices of the small models are so small that waking a second thread costs more than it brings: a training
step of the digit transformer is two to five times slower with two BLAS threads than with one. A BLAS library reads
these variables once, when NumPy loads it. Whoever has set one of them keeps their setting.
"""

import os

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def one_blas_thread() -> None:
    """Ask for one BLAS thread, unless the user's environment already says how many. Call before importing NumPy."""
    if not any(name in os.environ for name in VARIABLES):
        os.environ.update(dict.fromkeys(VARIABLES, "1"))
