"""Following f: duck arrays that record what is done to them.

``run`` traces one call. The other files are the vocabulary of the trace: arrays and scalars, their memory, and what
each NumPy function means, family by family.
"""

from sparsejac.tracing import (
    descriptions,
    dispatch,
    elementwise,
    indexing,
    methods,
    pointwise,
    products,
    reductions,
    structural,
)
from sparsejac.tracing.run import Traced as Traced
from sparsejac.tracing.run import run as run

__all__ = [
    "Traced",
    "descriptions",
    "dispatch",
    "elementwise",
    "indexing",
    "methods",
    "pointwise",
    "products",
    "reductions",
    "run",
    "structural",
]
