"""Augmented assignment to arrays: it writes into the array, in the array's dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.base import TracedBase, computes_itself
from sparsejac.tracing.casting import check_same_kind


class InPlaceOperators(TracedBase):
    """The operators that write into the array on their left."""

    __slots__ = ()
    dtype: np.dtype[Any]
    __setitem__: Any

    def _in_place(self, ufunc: Any, other: Any) -> Any:
        if computes_itself(type(other)):
            return ufunc(self, other, out=self)  # what the class makes of it, as in NumPy
        result = ufunc(self, other)
        check_same_kind(ufunc.__name__, result.dtype, self.dtype)
        self[...] = result
        return self

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(np.add, other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(np.subtract, other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(np.multiply, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(np.true_divide, other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._in_place(np.floor_divide, other)

    def __imod__(self, other: Any) -> Any:
        return self._in_place(np.remainder, other)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place(np.power, other)

    def __iand__(self, other: Any) -> Any:
        return self._in_place(np.bitwise_and, other)

    def __ior__(self, other: Any) -> Any:
        return self._in_place(np.bitwise_or, other)

    def __ixor__(self, other: Any) -> Any:
        return self._in_place(np.bitwise_xor, other)

    def __imatmul__(self, other: Any) -> Any:
        return self._in_place(np.matmul, other)
