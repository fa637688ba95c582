"""Linear algebra: solvers, factorizations, spectra, functions of matrices."""

from sparsejac.tracing.linalg import factorizations, scipy_solving, singular, solving, spectral, structured

__all__ = ["factorizations", "scipy_solving", "singular", "solving", "spectral", "structured"]
