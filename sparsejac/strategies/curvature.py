"""Hessians without colors: half of the terms of the gradient's Program, or second derivatives of small terms."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from kernels.sweep import Sweep
from sparsejac.elimination.expansion import Expanded
from sparsejac.elimination.halves import lower_half, mirrored_sweeps
from sparsejac.elimination.separable import hessian_terms
from sparsejac.patterns.pattern import Pattern
from sparsejac.pieces.pieces import in_pieces
from sparsejac.schedules.fusion import Lowered
from sparsejac.strategies.cost import Facts, Prediction
from sparsejac.strategies.elimination import Elimination
from sparsejac.strategies.protocol import CurvatureOutline, CurvatureStrategy, Prepared
from sparsejac.strategies.rates import rates
from sparsejac.strategies.symmetric import Symmetrized
from sparsejac.transforms.symmetric import HessianOf, Triangle, from_lower, mirrored


class Halved(CurvatureOutline):
    """Terms of which only those below the diagonal are computed, as far as they tell the halves apart.

    Parameters
    ----------
    name : str
    inner : Elimination
    triangle : {"full", "lower", "upper"}
    whole : bool
        Whether both halves are computed.
    """

    def __init__(self, name: str, inner: Elimination, triangle: Triangle, *, whole: bool) -> None:
        self.name, self.inner, self.triangle, self.whole = name, inner, triangle, whole

    @property
    def is_cut(self) -> bool:  # type: ignore[override]
        """As of `CurvatureOutline`."""
        return bool(self.inner.found.cuts)

    def predict(self, facts: Facts) -> Prediction:
        """As of `Outline`."""
        found = self.inner.predict(facts)
        gathered = 0.0 if self.triangle == "lower" and not self.whole else rates().entry * facts.nnz * 1e-9
        return replace(found, strategy=self.name, seconds=found.seconds + gathered)

    def prepare(self, pattern: Pattern, *, known_zeros: bool, origin: Sequence[Any] | None = None) -> Prepared:
        """As of `Outline`; the pattern is that of the gradient's Jacobian."""
        if self.whole:
            made = self.inner.prepare(pattern, known_zeros=known_zeros)
            return Symmetrized(made, mirrored(pattern, self.triangle), pattern.nnz)
        lower = mirrored(pattern, "lower").pattern
        made = self.inner.prepare(lower, known_zeros=True)
        if self.triangle == "full" and not self.is_cut:
            sweeps = mirrored_sweeps(made.sweeps, self.inner.entries, from_lower(pattern, "full"))
            if sweeps is not None:
                return _with_sweeps(made, sweeps)
        return made if self.triangle == "lower" else Symmetrized(made, from_lower(pattern, self.triangle), lower.nnz)


def _with_sweeps(made: Prepared, sweeps: tuple[Sweep, ...]) -> Prepared:
    changed = copy(made)
    changed.sweeps = sweeps
    return changed


def _elimination(lowered: Lowered, of: HessianOf) -> Halved:
    """Half of the terms of the gradient's Program; of a cut one, the products that the lower triangle needs."""
    made = Elimination(lowered)
    if made.found.cuts:
        return Halved("elimination", made, of.triangle, whole=False)
    half = lower_half(made.found)
    if half is None:
        return Halved("elimination", made, of.triangle, whole=True)
    return Halved("elimination", Elimination(lowered, half), of.triangle, whole=False)


def _elements(lowered: Lowered, of: HessianOf) -> Halved | None:
    """Second partial derivatives of the terms of a sum; None where there is no such sum."""
    program, places = in_pieces(of.program), lowered.schedule.inputs
    first, buffers = len(lowered.program.input_sizes), {}
    number = {slot: k for k, slot in enumerate(program.constants)}
    for node in program.nodes:
        if node.kind == "input":
            buffers[node.index] = places[node.slot]
        elif node.kind == "constant":
            known = of.constants[number[node.slot]]
            if known is not None:
                buffers[node.index] = places[first + known]
    terms = hessian_terms(program, buffers, None if of.weights is None else places[of.weights])
    if terms is None:
        return None
    return Halved("elements", Elimination(lowered, Expanded(terms, (), ())), of.triangle, whole=False)


ELIMINATION = CurvatureStrategy("elimination", "partial derivatives of the gradient straight to entries", _elimination)
ELEMENTS = CurvatureStrategy(
    "elements", "second partial derivatives of the terms of a sum, added up", _elements, optional=True
)
