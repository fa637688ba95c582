"""The registry of elementwise primitives: one declaration each, by family.

A new primitive is one call of `elementwise` in the file of its family; a test walks the registry and checks its
value, code, partial derivatives and sparsity.
"""

from sparsejac.primitives import arithmetic, comparison, detached, elementary, narrowing, passing, selection
from sparsejac.primitives.primitive import PRIMITIVES as PRIMITIVES
from sparsejac.primitives.primitive import Primitive as Primitive
from sparsejac.primitives.primitive import elementwise as elementwise
from sparsejac.primitives.term import Term as Term

__all__ = [
    "PRIMITIVES",
    "Primitive",
    "Term",
    "arithmetic",
    "comparison",
    "detached",
    "elementary",
    "elementwise",
    "narrowing",
    "passing",
    "selection",
]
