"""Transformations of Programs: what they give are Programs again, so that they compose.

A tangent pushed forward gives the linearized Program; its linear part, read backwards, is the transposed one. The
Hessian is the Jacobian of the gradient's Program.
"""

from sparsejac.transforms.counting import operations as operations
from sparsejac.transforms.derivatives import Linearized as Linearized
from sparsejac.transforms.derivatives import Template as Template
from sparsejac.transforms.derivatives import aux_of as aux_of
from sparsejac.transforms.derivatives import gradient_of as gradient_of
from sparsejac.transforms.derivatives import linearized as linearized
from sparsejac.transforms.derivatives import pulled as pulled
from sparsejac.transforms.derivatives import pushed as pushed
from sparsejac.transforms.derivatives import then as then
from sparsejac.transforms.derivatives import weighted_gradient_of as weighted_gradient_of
from sparsejac.transforms.derivatives import widened as widened
from sparsejac.transforms.order import check_differentiable_again as check_differentiable_again
from sparsejac.transforms.order import dependent as dependent
from sparsejac.transforms.order import has_jumps as has_jumps

__all__ = [
    "Linearized",
    "Template",
    "aux_of",
    "check_differentiable_again",
    "dependent",
    "gradient_of",
    "has_jumps",
    "linearized",
    "operations",
    "pulled",
    "pushed",
    "then",
    "weighted_gradient_of",
    "widened",
]
