"""What SciPy's functions mean for traced values; those of linear algebra stand in `linalg`.

The files that `families` lists are loaded when they are needed.
"""

from sparsejac.tracing.scipy_rules import (
    complex_calls,
    fourier,
    special_partials,
)

__all__ = [
    "complex_calls",
    "fourier",
    "special_partials",
]
