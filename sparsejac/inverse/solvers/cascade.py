"""Bands in a row, each on the whole state: compiled code factorizes all of them by one call, and solves by another.

Rows are not exchanged. A band for which partial pivoting would do so, whose pivots differ much in size, or whose
numbers are extreme, is *refused*: it is inverted by a form of its own, and the others go on before and behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from weakref import finalize

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from kernels.source import Source
from kernels.threads import run_pieces, split
from sparsejac.inverse.solvers.band_text import (
    FACTS,
    Shape,
    elimination,
    substitution,
    substitution_of_many,
)
from sparsejac.inverse.solvers.banded import Banded
from sparsejac.inverse.solvers.form import SUSPICIOUS, Floats, Ints, Ordering, signs_and_logs

WIDEST = 4
"""Diagonals on a side up to which rows are eliminated by code of our own; LAPACK is as fast for more."""

_NONE = np.zeros(0, dtype=np.intp)

_LARGE = 2**18
"""Bytes from which memory is used again."""

_ADDITIONS = 6
"""Work of a division among additions."""


def shape_of(form: Banded) -> Shape | None:
    """The shape of a band that may stand in a cascade; None for the others."""
    rows, columns = form.ordering.rows, form.ordering.columns
    width = max(form.lower, form.upper)
    if not 0 < width <= WIDEST or rows is not columns:
        return None
    return Shape(width, "lower" if form.upper == 0 else "upper" if form.lower == 0 else "both")


@dataclass(frozen=True, eq=False)
class Cascade:
    """Bands of one shape and one order, one behind the other.

    Parameters
    ----------
    start : int
        The stage that is the first of them.
    forms : sequence of Banded
    shape : Shape
    entries : array of int or slice
        The numbers of their entries among those of all lumps.
    places : array of int, or (int, int)
        Where the entries go, in the memory that `band_text` tells of. A pair: those of each band stand side by side
        there too, so many behind the beginning of its first row.
    spare : list of array
        Memory of bands that nobody needs any more: to ask the system for new one costs more than to fill it.
    """

    start: int
    forms: tuple[Banded, ...]
    shape: Shape
    entries: Ints | slice
    places: Ints | tuple[int, int]
    spare: list[Floats] = field(default_factory=list)

    @cached_property
    def stop(self) -> int:
        """The stage behind the last one."""
        return self.start + len(self.forms)

    @cached_property
    def size(self) -> int:
        """Rows of each band."""
        return self.forms[0].pattern.size

    @cached_property
    def ordering(self) -> Ordering:
        """In which all of them are bands."""
        return self.forms[0].ordering

    @cached_property
    def _room(self) -> int:
        """Numbers before the first band, and behind the last one."""
        return self.shape.width * self.shape.row

    def eliminated(self, data: Floats) -> Eliminated:
        """Factorize all bands.

        Parameters
        ----------
        data : array
            The entries of all lumps.
        """
        band, facts = self._filled(data[self.entries]), np.empty((len(self.forms), FACTS))
        rows = len(self.forms) * self.size
        pieces = split(len(self.forms), rows * (_ADDITIONS + self.shape.row * self.shape.width), align=2)
        run_pieces(_eliminate(self.shape), pieces, (self.size, band, facts.reshape(-1)))
        small, large, exchanges = facts.T
        good = (small > SUSPICIOUS * large) & (exchanges == 0.0)
        refused = _NONE if good.all() else np.flatnonzero(~good)
        if len(refused):  # other bands read what stands before and behind them, to multiply it by zero
            band[self._room : -self._room].reshape(len(self.forms), -1)[refused] = 0.0
        found = Eliminated(self, band, refused)
        if band.nbytes >= _LARGE:
            finalize(found, self._take_back, band).atexit = False
        return found

    def _take_back(self, band: Floats) -> None:
        if not self.spare:
            self.spare.append(band)

    def _memory(self, size: int) -> Floats:
        try:
            return self.spare.pop()
        except IndexError:
            return np.empty(size)

    def _filled(self, entries: Floats) -> Floats:
        count, whole = len(self.forms), self.size * self.shape.row
        band = self._memory(count * whole + 2 * self._room)
        if isinstance(self.places, tuple):
            band[: self._room] = band[-self._room :] = 0.0
            bands = band[self._room : -self._room].reshape(count, whole)
            first, last = self.places
            bands[:, first:last] = entries.reshape(count, last - first)
            bands[:, :first] = bands[:, last:] = 0.0
            return band
        band[:] = 0.0
        band[self.places] = entries
        return band


@dataclass(frozen=True, eq=False)
class Eliminated:
    """The factors of the bands of a cascade.

    Parameters
    ----------
    cascade : Cascade
    band : array
    refused : array of int
        Numbers of bands that it does not invert.
    """

    cascade: Cascade
    band: Floats
    refused: npt.NDArray[np.intp]

    def accepted(self) -> list[tuple[int, int]]:
        """Stretches of bands without a refused one."""
        ends = [-1, *self.refused.tolist(), len(self.cascade.forms)]
        return [(a + 1, b) for a, b in pairwise(ends) if a + 1 < b]

    def solve(self, start: int, stop: int, state: Floats) -> Floats:
        """A state, shape (size,) or (size, count), through the bands from the last one to the first."""
        return self._through(start, stop, state, transposed=False)

    def solve_transposed(self, start: int, stop: int, state: Floats) -> Floats:
        """The same through their transposes, from the first to the last."""
        return self._through(start, stop, state, transposed=True)

    def _through(self, start: int, stop: int, state: Floats, *, transposed: bool) -> Floats:
        cascade, order = self.cascade, self.cascade.ordering.rows
        shape, size = cascade.shape, cascade.size
        x = np.array(state, order="C") if order is None else state[order]
        given = (start, stop, size, self.band, x)
        if x.ndim == 1:
            _substitute(shape, transposed)(*given)
        else:
            work = x.size * (stop - start) * shape.row
            pieces = split(x.shape[1], work, align=8)
            run_pieces(_substitute_many(shape, transposed), pieces, given)
        if order is None:
            return x
        found = np.empty_like(x)
        found[order] = x
        return found

    def slogdet(self, start: int, stop: int) -> tuple[float, float]:
        """Sign and logarithm of the absolute value of the product of their determinants."""
        shape = self.cascade.shape
        rows = self.band.reshape(-1, shape.row)[shape.width : -shape.width, shape.main]
        sign, log = signs_and_logs(rows[start * self.cascade.size : stop * self.cascade.size])
        return sign, -log


@cache
def _eliminate(shape: Shape) -> Callable[..., None]:
    return _compiled(elimination(shape))


@cache
def _substitute(shape: Shape, transposed: bool) -> Callable[..., None]:
    return _compiled(substitution(shape, transposed=transposed))


@cache
def _substitute_many(shape: Shape, transposed: bool) -> Callable[..., None]:
    return _compiled(substitution_of_many(shape, transposed=transposed))


def _compiled(source: Source) -> Callable[..., None]:
    found: Callable[..., None] = load("kernels.module").compile_source(source)
    return found


def cascade_of(start: int, forms: Sequence[Banded], shape: Shape, entries: Sequence[Ints | slice]) -> Cascade:
    """Put bands of one shape in a row.

    Parameters
    ----------
    start : int
    forms : sequence of Banded
    shape : Shape
    entries : sequence of array of int or slice
        The numbers of the entries of each band.
    """
    numbers = _joined(entries)
    local = [_places(form, shape) for form in forms]
    first, last = int(local[0][0]), int(local[0][-1]) + 1
    straight = np.arange(first, last)
    if isinstance(numbers, slice) and all(np.array_equal(places, straight) for places in local):
        return Cascade(start, tuple(forms), shape, numbers, (first, last))
    size, room = forms[0].pattern.size, shape.width * shape.row
    behind = [room + k * size * shape.row + places for k, places in enumerate(local)]
    return Cascade(start, tuple(forms), shape, numbers, np.concatenate(behind))


def _places(form: Banded, shape: Shape) -> Ints:
    """Where the entries of a band go, behind the beginning of its first row."""
    ordered = form.pattern.ordered(form.ordering.rows, form.ordering.columns)
    return ordered.rows * shape.row + shape.main + ordered.columns - ordered.rows


def _joined(entries: Sequence[Ints | slice]) -> Ints | slice:
    """Numbers of several bands, as a slice where they follow each other."""
    slices = [one for one in entries if isinstance(one, slice)]
    if len(slices) == len(entries) and all(a.stop == b.start for a, b in pairwise(slices)):
        return slice(slices[0].start, slices[-1].stop)
    return np.concatenate([np.arange(e.start, e.stop) if isinstance(e, slice) else e for e in entries])
