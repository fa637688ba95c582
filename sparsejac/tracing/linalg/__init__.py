"""Linear algebra: solvers, factorizations, spectra, functions of matrices, sparse matrices.

The files that `families` lists are loaded when they are needed.
"""

from sparsejac.tracing.linalg import (
    sparse_construction,
    sparse_matrices,
)

__all__ = [
    "sparse_construction",
    "sparse_matrices",
]
