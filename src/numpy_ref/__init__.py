"""The transformer in NumPy, forward and backward by hand."""

import numpy as np

# glibc hands large freed blocks back to the kernel and fetches them anew, page by page: a third of a training step.
# It keeps blocks up to the largest it has seen freed. This one is never touched, so it costs nothing.
np.empty(1 << 24, np.uint8)
