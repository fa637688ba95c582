"""The one table of strategies: a new one is a file beside this one and a line here."""

from __future__ import annotations

from sparsejac.strategies import curvature
from sparsejac.strategies.bidirectional import BIDIRECTIONAL
from sparsejac.strategies.elimination import ELIMINATION
from sparsejac.strategies.forward import FORWARD
from sparsejac.strategies.identity import IDENTITY
from sparsejac.strategies.protocol import ProgramStrategy, Strategy
from sparsejac.strategies.reverse import REVERSE
from sparsejac.strategies.symmetric import ACYCLIC, STAR, SymmetricStrategy

STRATEGIES: dict[str, Strategy | ProgramStrategy] = {
    strategy.name: strategy for strategy in (FORWARD, REVERSE, BIDIRECTIONAL, IDENTITY, ELIMINATION)
}

HESSIAN_STRATEGIES: dict[str, Strategy | SymmetricStrategy | curvature.CurvatureStrategy] = {
    strategy.name: strategy
    for strategy in (
        STAR,
        ACYCLIC,
        FORWARD,
        REVERSE,
        BIDIRECTIONAL,
        IDENTITY,
        curvature.ELEMENTS,
        curvature.ELIMINATION,
    )
}
"""Those for a gradient's Jacobian, which is symmetric; the last but one knows what it is the gradient of."""
