"""The factors of all lumps of a chain at one point, and products with the inverse of what they make up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sparsejac.inverse.solvers.banded import Banded, factor_together
from sparsejac.inverse.solvers.cascade import Eliminated
from sparsejac.inverse.solvers.form import Factor, Floats, SingularMatrixError, parity
from sparsejac.inverse.stages import LumpError, Stage, Stages


class _Piece(ABC):
    """One or several neighbouring lumps.

    Attributes
    ----------
    numbers : range
    """

    numbers: range

    @abstractmethod
    def solve(self, state: Floats) -> Floats:
        """From the state behind them to the one before; it may be changed."""

    @abstractmethod
    def solve_transposed(self, state: Floats) -> Floats:
        """The same with transposes, from before to behind."""

    @abstractmethod
    def slogdet(self) -> tuple[float, float]:
        """Sign and logarithm of the absolute value of the determinant."""


@dataclass(frozen=True, eq=False)
class _One(_Piece):
    """A lump with a factor of its own."""

    numbers: range
    stage: Stage
    factor: Factor
    coupling: Any

    def solve(self, state: Floats) -> Floats:
        given = state[self.stage.slots]
        if self.coupling is not None:
            given = given - self.coupling @ state
        found = self.factor.solve(given)
        if isinstance(self.stage.slots, slice):
            return found
        state[self.stage.slots] = found
        return state

    def solve_transposed(self, state: Floats) -> Floats:
        found = self.factor.solve_transposed(state[self.stage.slots])
        if isinstance(self.stage.slots, slice):
            return found
        state[self.stage.slots] = found
        if self.coupling is not None:
            state -= self.coupling.T @ found
        return state

    def slogdet(self) -> tuple[float, float]:
        return self.factor.slogdet()


@dataclass(frozen=True, eq=False)
class _Several(_Piece):
    """Bands first to last of a cascade."""

    numbers: range
    eliminated: Eliminated
    first: int
    last: int

    def solve(self, state: Floats) -> Floats:
        return self.eliminated.solve(self.first, self.last, state)

    def solve_transposed(self, state: Floats) -> Floats:
        return self.eliminated.solve_transposed(self.first, self.last, state)

    def slogdet(self) -> tuple[float, float]:
        return self.eliminated.slogdet(self.first, self.last)


@dataclass(frozen=True, eq=False)
class Factored:
    """J as a product, to be divided by.

    Parameters
    ----------
    stages : Stages
    pieces : list of _Piece
        In the order of f.
    """

    stages: Stages
    pieces: list[_Piece]

    @property
    def size(self) -> int:
        """Rows of J."""
        return self.stages.chain.size

    def solve(self, v: Floats) -> Floats:
        """J⁻¹ v for one vector, shape (n,), or several, shape (n, count): backwards through the lumps."""
        state = self.stages.placed(v)
        for piece in reversed(self.pieces):
            state = piece.solve(state)
        return state

    def solve_transposed(self, w: Floats) -> Floats:
        """J⁻ᵀ w: forwards through the lumps."""
        state = w.copy()
        for piece in self.pieces:
            state = piece.solve_transposed(state)
        return state[self.stages.chain.outputs]

    def slogdet(self) -> tuple[float, float]:
        """Sign and logarithm of the absolute value of the determinant of J."""
        sign, log = parity(self.stages.chain.outputs), 0.0
        for piece in self.pieces:
            one, more = piece.slogdet()
            sign, log = sign * one, log + more
        return sign, log


def factorized(stages: Stages, data: Floats, *, compiled: bool) -> Factored:
    """Factorize all lumps.

    Parameters
    ----------
    stages : Stages
    data : array
        The entries of all lumps.
    compiled : bool
        Whether compiled code takes what it can.

    Raises
    ------
    LumpError
        Naming the first lump that is singular, seen from x.
    """
    pieces: list[_Piece] = []
    for cascade in stages.cascades if compiled else ():
        eliminated = cascade.eliminated(data)
        pieces += [
            _Several(range(cascade.start + a, cascade.start + b), eliminated, a, b) for a, b in eliminated.accepted()
        ]
    done = {k for piece in pieces for k in piece.numbers}
    if len(done) == len(stages.stages):
        return Factored(stages, pieces)
    factors = _factors(stages, data, done, compiled=compiled)
    for k, factor in factors.items():
        coupling = stages.stages[k].coupling
        pieces.append(
            _One(range(k, k + 1), stages.stages[k], factor, None if coupling is None else coupling.matrix(data))
        )
    return Factored(stages, sorted(pieces, key=lambda piece: piece.numbers.start))


def _factors(stages: Stages, data: Floats, done: Collection[int], *, compiled: bool) -> dict[int, Factor]:
    """Factorize lumps one by one, but bands of one width together."""
    found: dict[int, Factor | SingularMatrixError] = {}
    for group in stages.together:
        if not (group.in_cascades and compiled):
            some = [stages.stages[k] for k in group.numbers]
            forms = [stage.form for stage in some if isinstance(stage.form, Banded)]
            made = factor_together(forms, group.places, [data[stage.entries] for stage in some])
            found |= zip(group.numbers, (factor for _, factor in made), strict=True)
    for k, stage in enumerate(stages.stages):
        if k not in found and k not in done:
            try:
                found[k] = stage.form.factor(data[stage.entries])
            except SingularMatrixError as error:
                found[k] = error
    bad = {k: factor for k, factor in found.items() if isinstance(factor, SingularMatrixError)}
    if bad:
        raise LumpError(stages.stages[min(bad)], bad[min(bad)])
    return {k: factor for k, factor in found.items() if isinstance(factor, Factor)}
