"""Which cuts a chain has: all at which the state has its size, and of these the ones that a model of cost keeps.

The finest chain is not always the cheapest: two lumps that are merged cost one call instead of two, and entries of a
product instead of those of the factors. Neighbours are merged in passes, each pair where that is predicted to pay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sparsejac.inverse.affordable import check_affordable
from sparsejac.inverse.liveness import Liveness
from sparsejac.inverse.lumps import Lump, pattern_of, steps_between, walked
from sparsejac.inverse.matching import Unmatched
from sparsejac.inverse.running_sums import undone
from sparsejac.inverse.signatures import signature_of
from sparsejac.inverse.solvers.choice import CALL, CALLS, CASCADE, choices
from sparsejac.inverse.solvers.form import Square

Ints = npt.NDArray[np.int64]

LumpsName = Literal["auto", "finest", "one"]
"""Which lumps: those that are predicted to be the cheapest, all of the finest chain, or J as a whole."""

ENTRY = 5e-9
"""Seconds to evaluate an entry of a local Jacobian and to put it in its place."""

PRODUCT = 3e-9
"""Seconds of a multiplication on the way to the entries of several steps."""

DIFFERENCE = 10e-9
"""Seconds of two differences that undo a running sum."""

LARGEST_PRODUCT = 20_000_000
"""Multiplications from which no two lumps are merged, nor looked at."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """One or several lumps of the finest chain, as one.

    Parameters
    ----------
    start, stop : int
    slots : array of int
    rows : csr_array of bool, shape (len(slots), size)
        What the new numbers depend on.
    seconds : float
        What one linearization and two solves are taken to cost.
    form : str
    work : float
        Multiplications to come to the entries.
    count : int
        Lumps of the finest chain.
    is_undone : bool
        Whether it is a running sum with the rows of its terms: that one is merged with no other.
    """

    start: int
    stop: int
    slots: Ints
    rows: Any
    seconds: float
    form: str
    work: float = 0.0
    count: int = 1
    is_undone: bool = False


@dataclass(frozen=True, eq=False)
class Selection:
    """The cuts that are kept.

    Parameters
    ----------
    stretches : tuple of Stretch
    finest : tuple of Stretch
        The lumps before any were merged.
    whole_seconds : float or None
        Predicted for one lump: the sparse Jacobian and its LU. None where a part of it already costs much more.
    """

    stretches: tuple[Stretch, ...]
    finest: tuple[Stretch, ...]
    whole_seconds: float | None

    @property
    def times(self) -> list[int]:
        """Of the cuts."""
        return [-1, *(stretch.stop for stretch in self.stretches)]

    @property
    def seconds(self) -> float:
        """Predicted for the chain."""
        return total_seconds(self.stretches)

    @property
    def finest_seconds(self) -> float:
        """Predicted for the finest chain."""
        return total_seconds(self.finest)


def total_seconds(stretches: Sequence[Stretch]) -> float:
    """Predicted for a chain; each stretch of cascades is one."""
    cascades = sum(form == CASCADE for form, _ in groupby(stretch.form for stretch in stretches))
    return sum(stretch.seconds for stretch in stretches) + CALLS * cascades


class StructurallySingularError(Exception):
    """A lump in which some numbers cannot be told apart, whatever the values are.

    Parameters
    ----------
    liveness : Liveness
    times : sequence of int
        Of the cuts.
    lump : Lump
    unmatched : Unmatched
        Rows are numbers that the lump makes, columns are places among its slots.
    """

    def __init__(self, liveness: Liveness, times: Sequence[int], lump: Lump, unmatched: Unmatched) -> None:
        super().__init__(liveness, times, lump, unmatched)
        self.liveness = liveness
        self.times = times
        self.lump = lump
        self.unmatched = unmatched


def cut_times(liveness: Liveness) -> list[int]:
    """Times at which the state has the size of x; the first is -1, x itself, the last that of the result."""
    size = liveness.schedule.sizes[liveness.schedule.x]
    births = np.unique(np.fromiter(liveness.births.values(), dtype=np.int64))
    births = births[births <= liveness.births[liveness.schedule.output]]
    widths = liveness.widths()[births + 1]
    times = [int(time) for time in births[widths == size]]
    lumps, _ = walked(liveness, times)
    return [-1, *(lump.stop for lump in lumps if lump.size)]  # what is made and used up in between is no lump


@dataclass(eq=False)
class _Known:
    """Costs and products of patterns that were met before: loops meet the same ones in every turn."""

    costs: dict[tuple[int, bytes], tuple[float, str] | Unmatched] = field(default_factory=dict)
    products: dict[tuple[int, bytes, int, bytes], tuple[Ints, Any, float] | None] = field(default_factory=dict)
    patterns: dict[object, Any] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)


def select(liveness: Liveness, times: Sequence[int], lumps: LumpsName = "auto") -> Selection:
    """Choose among cuts.

    Parameters
    ----------
    liveness : Liveness
    times : sequence of int
        See `cut_times`.
    lumps : {"auto", "finest", "one"}

    Raises
    ------
    StructurallySingularError
    """
    known = _Known()
    stretches = finest = _finest(liveness, times, known)
    if not finest:
        return Selection((), (), 0.0)
    while True:
        merged = _pass(stretches, known)
        if len(merged) == len(stretches):
            break
        stretches = merged
    seconds = total_seconds(stretches)
    whole = _whole(stretches, seconds if lumps == "auto" else math.inf, known)
    chosen = stretches
    if whole is not None and total_seconds([whole]) < seconds:
        chosen = [whole]
    if lumps == "finest":
        chosen = finest
    if lumps == "one":
        end = finest[-1].stop
        chosen = [whole or Stretch(-1, end, finest[-1].slots, None, math.inf, "", count=len(finest))]
    return Selection(tuple(chosen), tuple(finest), None if whole is None else total_seconds([whole]))


def _finest(liveness: Liveness, times: Sequence[int], known: _Known) -> list[Stretch]:
    lumps, states = walked(liveness, times)
    found = []
    for lump, state in zip(lumps, states, strict=False):
        steps = list(steps_between(liveness.steps, lump.start, lump.stop))
        key = signature_of(liveness, lump, state, steps)
        rows = known.patterns.get(key)
        if rows is None:
            check_affordable(liveness, lump, state, steps)
            rows = known.patterns[key] = pattern_of(liveness, lump, state, steps)
        before = undone(liveness, lump)
        if before is not None:
            seconds = 2 * CALL + DIFFERENCE * len(before)
            found.append(Stretch(lump.start, lump.stop, lump.slots, rows, seconds, "differences", is_undone=True))
            continue
        priced = _cost(lump.slots, rows, 0.0, known)
        if isinstance(priced, Unmatched):
            raise StructurallySingularError(liveness, times, lump, priced)
        seconds, form = priced
        found.append(Stretch(lump.start, lump.stop, lump.slots, rows, seconds, form))
    return found


def _pass(stretches: list[Stretch], known: _Known) -> list[Stretch]:
    """Merge neighbours where that pays, each once."""
    found: list[Stretch] = []
    k = 0
    while k < len(stretches):
        merged = _merged(stretches[k], stretches[k + 1], known) if k + 1 < len(stretches) else None
        if merged is not None and merged.seconds <= stretches[k].seconds + stretches[k + 1].seconds:
            found.append(merged)
            k += 2
        else:
            found.append(stretches[k])
            k += 1
    return found


def _whole(stretches: list[Stretch], seconds: float, known: _Known) -> Stretch | None:
    """All as one lump; None where a part of it already costs several times the seconds of the chain."""
    if any(stretch.is_undone for stretch in stretches):
        return None
    found = stretches[0]
    for stretch in stretches[1:]:
        merged = _merged(found, stretch, known)
        if merged is None or merged.work > LARGEST_PRODUCT or merged.seconds > _HOPELESS * seconds:
            return None
        found = merged
    return found


_HOPELESS = 4.0


def _merged(first: Stretch, second: Stretch, known: _Known) -> Stretch | None:
    """Two stretches as one; None where the product is too large to look at."""
    if first.is_undone or second.is_undone:
        return None
    key = (id(first.rows), first.slots.tobytes(), id(second.rows), second.slots.tobytes())
    if key not in known.products:
        known.products[key] = _product(first, second)
        known.kept += [first.rows, second.rows]
    found = known.products[key]
    if found is None:
        return None
    slots, rows, multiplications = found
    work = first.work + second.work + multiplications
    priced = _cost(slots, rows, work, known)
    assert not isinstance(priced, Unmatched)  # a product of matched patterns is matched
    seconds, form = priced
    return Stretch(first.start, second.stop, slots, rows, seconds, form, work, first.count + second.count)


def _product(first: Stretch, second: Stretch) -> tuple[Ints, Any, float] | None:
    size = first.rows.shape[1]
    lengths = np.ones(size, dtype=np.int64)
    lengths[first.slots] = np.diff(first.rows.indptr)
    multiplications = int(lengths[second.rows.indices].sum())
    if multiplications > LARGEST_PRODUCT:
        return None
    touched = np.zeros(size, dtype=np.bool_)
    touched[first.slots] = True
    passing = np.flatnonzero(~touched)
    touched[second.slots] = True
    slots = np.flatnonzero(touched)
    before = _with_passing(first, passing, size)
    after = np.full(size, -1, dtype=np.int64)
    after[second.slots] = np.arange(len(second.slots))
    product = second.rows @ before
    late = after[slots] >= 0
    picked = np.where(late, after[slots], 0)
    rows = _selected(product, before, slots, late, picked)
    # Scaling and moving cost what another kernel in the same launch does: next to nothing.
    is_free = first.rows.nnz == len(first.slots) or second.rows.nnz == len(second.slots)
    return slots, rows, 0.0 if is_free else float(multiplications)


def _with_passing(stretch: Stretch, passing: Ints, size: int) -> Any:
    """The rows of all slots: those that pass by are themselves."""
    if not len(passing):
        return stretch.rows
    lengths = np.ones(size, dtype=np.int64)
    lengths[stretch.slots] = np.diff(stretch.rows.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.empty(int(indptr[-1]), dtype=np.int64)
    indices[indptr[passing]] = passing
    inside = np.ones(len(indices), dtype=np.bool_)
    inside[indptr[passing]] = False
    indices[inside] = stretch.rows.indices
    return csr_array((np.ones(len(indices), dtype=np.bool_), indices, indptr), shape=(size, size))


def _selected(product: Any, before: Any, slots: Ints, late: npt.NDArray[np.bool_], picked: Ints) -> Any:
    """Rows of slots: those of the product where the second stretch replaces them, else those before it."""
    if late.all():
        return product
    lengths = np.where(late, np.diff(product.indptr)[picked], np.diff(before.indptr)[slots])
    starts = np.where(late, product.indptr[picked], before.indptr[slots] + len(product.indices))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(int(indptr[-1])) + np.repeat(starts - indptr[:-1], lengths)
    indices = np.concatenate([product.indices, before.indices])[places]
    return csr_array((np.ones(len(indices), dtype=np.bool_), indices, indptr), shape=(len(slots), before.shape[1]))


def _cost(slots: Ints, rows: Any, work: float, known: _Known) -> tuple[float, str] | Unmatched:
    key = (id(rows), slots.tobytes())
    if key not in known.costs:
        known.kept.append(rows)
        known.costs[key] = _cost_of_entries(slots, rows)
    found = known.costs[key]
    return found if isinstance(found, Unmatched) else (found[0] + PRODUCT * work, found[1])


def _cost_of_entries(slots: Ints, rows: Any) -> tuple[float, str] | Unmatched:
    square, others = squared(slots, rows)
    found = choices(square, whole=len(slots) == rows.shape[1])
    if isinstance(found, Unmatched):
        return found
    coupling = (CALL + 8e-9 * others) if others else 0.0
    return found[0].seconds + coupling + ENTRY * rows.nnz, found[0].name


def squared(slots: Ints, rows: Any) -> tuple[Square, int]:
    """The part of the rows that stands in the slots they replace, and the number of entries elsewhere."""
    place = np.full(rows.shape[1], -1, dtype=np.int64)
    place[slots] = np.arange(len(slots))
    of = np.repeat(np.arange(rows.shape[0], dtype=np.int64), np.diff(rows.indptr))
    columns = place[rows.indices]
    inside = columns >= 0
    return Square(len(slots), of[inside], columns[inside]), int(len(inside) - inside.sum())
