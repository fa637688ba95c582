"""Matrices whose entries lie near the diagonal, once rows and columns are ordered: LAPACK's banded LU.

Matrices of one form, one for each lump of a chain, stand one behind the other and are factorized by one call: the
border between two of them holds nothing but zeros, so that no row is exchanged across it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from sparsejac.inverse.solvers.form import (
    LAPACK,
    SUSPICIOUS,
    Factor,
    Floats,
    Form,
    Ints,
    Ordering,
    SingularMatrixError,
    Square,
    checked,
    signs_and_logs,
)

Solve = Callable[[Floats, str], Floats]


@dataclass(frozen=True, eq=False)
class _Banded(Factor):
    ordering: Ordering
    inner: Solve
    all_pivots: Floats
    swaps: Any
    start: int
    stop: int

    @property
    def pivots(self) -> Floats:
        return self.all_pivots[self.start : self.stop]

    def solve(self, b: Floats) -> Floats:
        return self.ordering.solve(b, lambda c: self.inner(c, "N"))

    def solve_transposed(self, b: Floats) -> Floats:
        return self.ordering.solve_transposed(b, lambda c: self.inner(c, "T"))

    def slogdet(self) -> tuple[float, float]:
        sign, log = signs_and_logs(self.pivots)
        swapped = 0
        if self.swaps is not None:
            places = np.arange(self.start, self.stop)
            swapped = int(np.count_nonzero(self.swaps[self.start : self.stop] != places))
        return sign * self.ordering.parity * (-1.0 if swapped % 2 else 1.0), log


class Banded(Form):
    """A band: `lower` diagonals below the main one, `upper` above it.

    Parameters
    ----------
    pattern : Square
    ordering : Ordering
        In which the entries lie near the diagonal.
    """

    def __init__(self, pattern: Square, ordering: Ordering) -> None:
        self.pattern = pattern
        self.ordering = ordering
        ordered = pattern.ordered(ordering.rows, ordering.columns)
        self.lower, self.upper = bandwidths(ordered)
        self.triangular = self.lower == 0 or self.upper == 0
        self.tridiagonal = max(self.lower, self.upper) == 1 and not self.triangular and pattern.size > 2
        main = self.upper if self.triangular else self.lower + self.upper
        self.height = 3 if self.tridiagonal else self.lower + main + 1
        down = (1 if self.tridiagonal else main) + ordered.rows - ordered.columns
        self.places: Ints = ordered.columns * self.height + down

    @property
    def name(self) -> str:  # type: ignore[override]
        """For readers."""
        kind = "triangular band" if self.triangular else "tridiagonal LU" if self.tridiagonal else "banded LU"
        return kind if self.tridiagonal else f"{kind} ({self.lower} below, {self.upper} above)"

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for forms that can be factorized by one call."""
        return (self.lower, self.upper, self.tridiagonal)

    def factor(self, entries: Floats) -> Factor:
        """See `Form.factor`."""
        ((_, factor),) = factor_together([self], places_together([self]), [entries])
        if isinstance(factor, SingularMatrixError):
            raise factor
        return factor


def bandwidths(pattern: Square) -> tuple[int, int]:
    """How many diagonals below and above the main one have entries."""
    distance = pattern.rows - pattern.columns
    return int(max(distance.max(initial=0), 0)), int(max(-distance.min(initial=0), 0))


def places_together(forms: Sequence[Banded]) -> Ints:
    """Where the entries of all matrices go in the band that holds them one behind the other."""
    first = np.cumsum([0, *(form.pattern.size for form in forms)])
    places = np.concatenate([form.places + form.height * int(a) for form, a in zip(forms, first, strict=False)])
    # The three diagonals of a tridiagonal matrix stand one after the other, those of others column after column.
    return places % 3 * int(first[-1]) + places // 3 if forms[0].tridiagonal else places


def factor_together(
    forms: Sequence[Banded], places: Ints, entries: Sequence[Floats]
) -> list[tuple[Banded, Factor | SingularMatrixError]]:
    """Factorize matrices of equal bandwidths by one call.

    Parameters
    ----------
    forms : sequence of Banded
    places : array of int
        See `places_together`.
    entries : sequence of array
        Those of each matrix.
    """
    one = forms[0]
    size = sum(form.pattern.size for form in forms)
    band = np.zeros(size * one.height)
    band[places] = np.concatenate(entries) if len(entries) > 1 else entries[0]
    make = _triangular if one.triangular else _tridiagonal if one.tridiagonal else _general
    cut, pivots, swaps = make(one, band.reshape((3, size) if one.tridiagonal else (size, one.height)), size)
    bounds = np.cumsum([0, *(form.pattern.size for form in forms)]).tolist()
    sizes = np.abs(pivots)
    smallest, largest = np.minimum.reduceat(sizes, bounds[:-1]), np.maximum.reduceat(sizes, bounds[:-1])
    doubtful = ~(smallest > SUSPICIOUS * largest)
    found: list[tuple[Banded, Factor | SingularMatrixError]] = []
    for form, own, (start, stop), doubt in zip(forms, entries, pairwise(bounds), doubtful.tolist(), strict=True):
        factor = _Banded(form.ordering, cut(start, stop), pivots, swaps, start, stop)
        found.append((form, _judged(factor, form, own) if doubt else factor))
    return found


def _judged(factor: _Banded, form: Banded, entries: Floats) -> Factor | SingularMatrixError:
    if not factor.pivots.all():
        row = int(np.argmin(np.abs(factor.pivots)))
        rows = form.ordering.rows
        return SingularMatrixError(row if rows is None else int(rows[row]), np.inf)
    try:
        return checked(factor, form, entries, factor.pivots)
    except SingularMatrixError as error:
        return error


_Cut = Callable[[int, int], Solve]


def _tridiagonal(form: Banded, band: Floats, size: int) -> tuple[_Cut, Floats, Any]:
    upper, main, lower = band
    below, pivots, above, second, swaps, _ = LAPACK.dgttrf(
        lower[: size - 1], main, upper[1:], overwrite_dl=1, overwrite_d=1, overwrite_du=1
    )

    def cut(start: int, stop: int) -> Solve:
        last = max(stop - 1, start)
        given = (below[start:last], pivots[start:stop], above[start:last], second[start : max(stop - 2, start)])
        exchanged = swaps[start:stop] - start

        def solve(b: Floats, transposed: str) -> Floats:
            found: Floats = LAPACK.dgttrs(*given, exchanged, b, trans=transposed)[0]
            return found

        return solve

    return cut, pivots, swaps - 1


def _general(form: Banded, band: Floats, size: int) -> tuple[_Cut, Floats, Any]:
    factors, swaps, _ = LAPACK.dgbtrf(band.T, form.lower, form.upper, overwrite_ab=1)
    pivots = factors[form.lower + form.upper].copy()

    def cut(start: int, stop: int) -> Solve:
        own, exchanged = factors[:, start:stop], swaps[start:stop] - start

        def solve(b: Floats, transposed: str) -> Floats:
            found: Floats = LAPACK.dgbtrs(own, form.lower, form.upper, b, exchanged, trans="NT".index(transposed))[0]
            return found

        return solve

    return cut, pivots, swaps


def _triangular(form: Banded, band: Floats, size: int) -> tuple[_Cut, Floats, Any]:
    factors, uplo = band.T, "L" if form.upper == 0 else "U"
    pivots = factors[form.upper].copy()

    def cut(start: int, stop: int) -> Solve:
        own = factors[:, start:stop]

        def solve(b: Floats, transposed: str) -> Floats:
            columns = b if b.ndim == 2 else b[:, None]
            found: Floats = LAPACK.dtbtrs(own, columns, uplo=uplo, trans=transposed)[0]
            return found.reshape(b.shape)

        return solve

    return cut, pivots, None
