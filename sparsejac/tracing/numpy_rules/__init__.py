"""What NumPy's functions, ufuncs and methods mean for traced values, family by family.

The files that `families` lists are loaded when they are needed.
"""

from sparsejac.tracing.numpy_rules import (
    complex_rules,
    descriptions,
    elementwise,
    folds,
    indexing,
    joining,
    mapping,
    methods,
    pointwise,
    products,
    reductions,
    structural,
)

__all__ = [
    "complex_rules",
    "descriptions",
    "elementwise",
    "folds",
    "indexing",
    "joining",
    "mapping",
    "methods",
    "pointwise",
    "products",
    "reductions",
    "structural",
]
