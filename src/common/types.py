"""Names for the types that both twins pass around. None of them imports JAX."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""A NumPy array. Its shape is in the name of the variable that holds it: `x_BTD`."""

AnyArray: TypeAlias = Any
"""An array of either twin: NumPy's or JAX's."""

Key: TypeAlias = NDArray[Any]
"""A random key: two uint32 words, shape (2,). See common/random.py."""

Tree: TypeAlias = Any
"""Arrays in nested dicts and lists: parameters, gradients, optimizer state. See common/tree.py."""
