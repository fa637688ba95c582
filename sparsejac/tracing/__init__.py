"""Following f: duck arrays that record what is done to them.

``run`` traces one call. The files beside it are arrays and scalars, their memory, and how calls reach them; what each
function means stands in the folders `numpy_rules`, `scipy_rules` and `linalg`, family by family.
"""

from sparsejac.tracing import dispatch, linalg, numpy_rules
from sparsejac.tracing.run import Traced as Traced
from sparsejac.tracing.run import run as run

__all__ = ["Traced", "dispatch", "linalg", "numpy_rules", "run"]
