"""Linear algebra: solvers, factorizations, spectra, functions of matrices, sparse matrices.

The files that `families` lists are loaded when they are needed.
"""

from sparsejac.tracing.linalg import (
    factorizations,
    singular,
    solving,
    sparse_construction,
    sparse_matrices,
    spectral,
)

__all__ = [
    "factorizations",
    "singular",
    "solving",
    "sparse_construction",
    "sparse_matrices",
    "spectral",
]
