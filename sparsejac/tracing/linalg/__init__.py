"""Linear algebra: solvers, factorizations, spectra, functions of matrices, sparse matrices."""

from sparsejac.tracing.linalg import (
    factorizations,
    matrix_equations,
    matrix_functions,
    refused,
    scipy_factorizations,
    scipy_solving,
    scipy_spectral,
    singular,
    solving,
    sparse_construction,
    sparse_matrices,
    sparse_solving,
    spectral,
    structured,
)

__all__ = [
    "factorizations",
    "matrix_equations",
    "matrix_functions",
    "refused",
    "scipy_factorizations",
    "scipy_solving",
    "scipy_spectral",
    "singular",
    "solving",
    "sparse_construction",
    "sparse_matrices",
    "sparse_solving",
    "spectral",
    "structured",
]
