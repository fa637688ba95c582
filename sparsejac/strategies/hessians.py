"""The table of strategies for Hessians, and what engines need for them: loaded when the first Hessian is asked for."""

from __future__ import annotations

from sparsejac.strategies.curvature import ELEMENTS, ELIMINATION
from sparsejac.strategies.protocol import CurvatureStrategy, Strategy, SymmetricStrategy
from sparsejac.strategies.registry import BIDIRECTIONAL, FORWARD, IDENTITY, REVERSE
from sparsejac.strategies.symmetric import ACYCLIC, STAR
from sparsejac.strategies.symmetric import Symmetrized as Symmetrized
from sparsejac.transforms.symmetric import mirrored as mirrored

HESSIAN_STRATEGIES: dict[str, Strategy | SymmetricStrategy | CurvatureStrategy] = {
    strategy.name: strategy
    for strategy in (STAR, ACYCLIC, FORWARD, REVERSE, BIDIRECTIONAL, IDENTITY, ELEMENTS, ELIMINATION)
}
"""Those for a gradient's Jacobian, which is symmetric; elements know what it is the gradient of."""
