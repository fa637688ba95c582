"""Types that say themselves what NumPy's operators do with them: matrices, masks, units, labels."""

from __future__ import annotations

import numpy as np

_COMPUTE = frozenset(["__array_ufunc__", "__array_wrap__", "__mul__", "__rmul__", "__add__", "__matmul__"])

_OURS = "sparsejac."
"""Values that are followed stand for ordinary arrays."""


def computes_otherwise(kind: type) -> bool:
    """Whether arrays of a type compute otherwise than ordinary ones.

    >>> [computes_otherwise(kind) for kind in (np.ndarray, np.memmap, np.matrix, list)]
    [False, False, True, False]
    """
    if kind is np.ndarray or kind is np.memmap or kind.__module__.startswith(_OURS):
        return False
    if not issubclass(kind, np.ndarray):
        return getattr(kind, "__array_ufunc__", None) is not None and not issubclass(kind, np.generic)
    own = kind.__mro__[: kind.__mro__.index(np.ndarray)]
    return any(not _COMPUTE.isdisjoint(vars(cls)) for cls in own)
