"""SciPy matrices from a pattern and its entries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csc_array, csr_array

from sparsejac.options import Format
from sparsejac.patterns.pattern import Pattern


def assemble(
    pattern: Pattern, data: npt.NDArray[np.float64], format: Format, *, copy_structure: bool
) -> csr_array[Any] | csc_array[Any] | coo_array[Any]:
    """The matrix with these entries.

    Parameters
    ----------
    pattern : Pattern
    data : array, shape (nnz,)
        In CSR order; the matrix takes it over.
    format : {"csr", "csc", "coo"}
    copy_structure : bool
        Whether the matrix gets index arrays of its own. Shared ones are read-only, so that no in-place change of
        the matrix's structure can harm the pattern.
    """
    matrix = Frame(pattern, copy_structure=copy_structure and format == "csr").matrix(data)
    if format == "csr":
        return matrix
    return matrix.tocsc() if format == "csc" else matrix.tocoo()


class Frame:
    """Matrices in CSR format with one pattern, without a look at its index arrays for each of them.

    SciPy's constructor validates what it gets, which takes longer than a small Jacobian. Here matrices get the
    attributes that it would give them, one by one, which Python 3.11 and later write without a dict.

    Parameters
    ----------
    pattern : Pattern
    copy_structure : bool
        Whether index arrays are copied, once for all matrices.

    Examples
    --------
    >>> frame = Frame(Pattern.from_coo([0, 1], [1, 0], (2, 2)))
    >>> frame.matrix(np.array([3.0, 5.0])).toarray()
    array([[0., 3.],
           [5., 0.]])
    """

    def __init__(self, pattern: Pattern, *, copy_structure: bool = False) -> None:
        indices, indptr = pattern.indices, pattern.indptr
        if copy_structure:
            indices, indptr = indices.copy(), indptr.copy()
        self._shape, self._structure = (int(pattern.shape[0]), int(pattern.shape[1])), (indices, indptr)
        is_usual = indices.dtype == indptr.dtype == np.int32 and max(self._shape) <= _LARGEST
        self._others = (self._shape, _MAXPRINT, indices, indptr, True, True) if COPIES_ATTRIBUTES and is_usual else None

    def matrix(self, data: npt.NDArray[np.float64]) -> csr_array[Any]:
        """The matrix with these entries, which it takes over."""
        others = self._others
        if others is None:
            return self._constructed(data)
        matrix = _new(csr_array)
        (
            matrix._shape,
            matrix.maxprint,
            matrix.indices,
            matrix.indptr,
            matrix._has_canonical_format,
            matrix._has_sorted_indices,
        ) = others
        matrix.data = data
        return matrix  # type: ignore[no-any-return]

    def _constructed(self, data: npt.NDArray[np.float64]) -> csr_array[Any]:
        """The same by SciPy's constructor."""
        matrix = csr_array((data, *self._structure), shape=self._shape, copy=False)
        matrix.has_canonical_format = True
        return matrix


_ATTRIBUTES = {"_shape", "maxprint", "indices", "indptr", "_has_canonical_format", "_has_sorted_indices", "data"}
_MAXPRINT: Any = getattr(csr_array((0, 0)), "maxprint", None)
_LARGEST = np.iinfo(np.int32).max
_new: Any = object.__new__


def copies_attributes() -> bool:
    """Whether a matrix of the installed SciPy is those attributes: in its dict, entries and index arrays plainly."""
    arrays = {
        "data": np.array([1.0, 2.0]),
        "indices": np.array([1, 0], np.int32),
        "indptr": np.array([0, 1, 2], np.int32),
    }
    try:
        matrix: Any = csr_array(tuple(arrays.values()), shape=(2, 2))
        assert matrix.has_canonical_format  # which looks at both
        state = vars(matrix)
        shared = all(np.shares_memory(state[name], array) for name, array in arrays.items())
    except Exception:  # another SciPy may do anything
        return False
    others = [value for name, value in state.items() if name not in arrays]
    fixed = set(state) == _ATTRIBUTES and all(isinstance(value, int | str | tuple | None) for value in others)
    plain = not any(hasattr(csr_array, name) for name in _ATTRIBUTES)
    slots = any(getattr(base, "__slots__", ()) for base in csr_array.__mro__)
    own = csr_array.__new__ is object.__new__ and csr_array.__setattr__ is object.__setattr__
    return shared and fixed and plain and not slots and own


COPIES_ATTRIBUTES = copies_attributes()
