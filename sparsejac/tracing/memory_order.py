"""Results whose memory order NumPy takes from the operands: here all lie in C order, and some are marked as loose.

It matters where such an array is reshaped: NumPy gives a view or a copy by the order. See `watched.TwinGuard`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.array import TracedArray


def is_fortran(order: Any) -> bool:
    """Whether the argument ``order=`` of a function asks for Fortran order."""
    return isinstance(order, str) and order.upper() == "F"


def loosened(result: Any, *sources: Any) -> Any:
    """A result, marked as loose where NumPy would lay it in memory as operands lie that are not in C order."""
    if type(result) is not TracedArray or result.window.ndim < 2 or all(map(_is_c_ordered, sources)):
        return result
    if not any(type(source) is TracedArray and source.storages == result.storages for source in sources):
        for storage in result.storages:
            storage.is_loose = True
    return result


def unordered(result: Any, *sources: Any) -> Any:
    """Results of a library that does not say how it lays them in memory: new arrays of several axes are loose."""
    for part in result if isinstance(result, list | tuple) else ():
        unordered(part, *sources)
    if type(result) is TracedArray and result.window.ndim > 1:
        held = [storage for source in sources if type(source) is TracedArray for storage in source.storages]
        for storage in result.storages:
            storage.is_loose |= not any(storage is other for other in held)
    return result


def _is_c_ordered(source: Any) -> bool:
    """Whether the places of an array ascend in memory, as those of slices of arrays in C order do."""
    window = source.window if type(source) is TracedArray else source
    if not isinstance(window, np.ndarray) or window.ndim < 2:
        return True
    if type(source) is TracedArray and source.storages[0].is_loose:
        return False
    steps = [abs(s) for s, n in zip(window.strides, window.shape, strict=True) if n > 1 and s]
    return steps == sorted(steps, reverse=True)
