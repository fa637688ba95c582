"""SciPy matrices from a pattern and its entries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csc_array, csr_array

from sparsejac.options import Format
from sparsejac.pattern import Pattern


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
    indices, indptr = pattern.indices, pattern.indptr
    if copy_structure and format == "csr":
        indices, indptr = indices.copy(), indptr.copy()
    matrix = csr_array((data, indices, indptr), shape=pattern.shape, copy=False)
    matrix.has_canonical_format = True
    if format == "csr":
        return matrix
    return matrix.tocsc() if format == "csc" else matrix.tocoo()


class Frame:
    """Matrices in CSR format with one pattern, without a look at its index arrays for each of them.

    SciPy's constructor validates what it gets, which takes longer than a small Jacobian. Here the first matrix goes
    through it, and the next ones are copies of its attributes with other entries.

    Parameters
    ----------
    pattern : Pattern

    Examples
    --------
    >>> frame = Frame(Pattern.from_coo([0, 1], [1, 0], (2, 2)))
    >>> frame.matrix(np.array([3.0, 5.0])).toarray()
    array([[0., 3.],
           [5., 0.]])
    """

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._attributes = _attributes(pattern) if COPIES_ATTRIBUTES else None

    def matrix(self, data: npt.NDArray[np.float64]) -> csr_array[Any]:
        """The matrix with these entries, which it takes over; it shares the pattern's index arrays."""
        if self._attributes is None:
            return assemble(self._pattern, data, "csr", copy_structure=False)  # type: ignore[return-value]
        matrix: csr_array[Any] = _new(csr_array)
        state = matrix.__dict__
        state.update(self._attributes)
        state["data"] = data
        return matrix


_new = object.__new__


def _attributes(pattern: Pattern) -> dict[str, Any]:
    """All that a matrix with this pattern has beside its entries."""
    matrix: Any = assemble(pattern, np.zeros(pattern.nnz), "csr", copy_structure=False)
    assert matrix.has_sorted_indices  # a look at it makes it an attribute
    return {name: value for name, value in vars(matrix).items() if name != "data"}


def copies_attributes() -> bool:
    """Whether a matrix of the installed SciPy is its attributes: all in its dict, entries and index arrays plainly."""
    arrays = {
        "data": np.array([1.0, 2.0]),
        "indices": np.array([1, 0], np.int32),
        "indptr": np.array([0, 1, 2], np.int32),
    }
    try:
        state = vars(csr_array(tuple(arrays.values()), shape=(2, 2)))
        shared = all(np.shares_memory(state[name], array) for name, array in arrays.items())
    except Exception:  # another SciPy may do anything
        return False
    others = [value for name, value in state.items() if name not in arrays]
    fixed = all(isinstance(value, int | str | tuple | None) for value in others)
    slots = any(getattr(base, "__slots__", ()) for base in csr_array.__mro__)
    return shared and fixed and not slots and csr_array.__new__ is object.__new__


COPIES_ATTRIBUTES = copies_attributes()
