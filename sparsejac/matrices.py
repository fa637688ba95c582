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
