"""Where the numbers of terms go: to the entries of the Jacobian, or to a pool of numbers for products."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine, Table
from kernels.kernel import Instruction, Kernel
from kernels.records import dataclass, replace
from kernels.sweep import row_room
from sparsejac.elimination.assembly import Placed, grouped, kernel_of
from sparsejac.elimination.demands import Factor, factors_over, listed
from sparsejac.elimination.expansion import Term
from sparsejac.elimination.regular_places import regular
from sparsejac.elimination.slots import EntryFinder
from sparsejac.patterns.pattern import Pattern, index_dtype
from sparsejac.programs.addressing import inner_places

Touched = npt.NDArray[np.bool_]

FEW = 1 / 16
"""Part of all entries up to which those that have to be zero before are set one by one."""

MOST_FIRST = 1 << 12
"""Entries of the first of many like steps that are looked at one by one."""

_ZERO = Factor(Kernel(0, (Instruction(None, (), 0.0),), (0,)), ())


@dataclass(frozen=True, eq=False)
class Placement:
    """Terms with their places, in the order in which they are swept.

    Parameters
    ----------
    groups : list of list of Placed
        One sweep each.
    zeroed : bool
        Whether the entries of the Jacobian have to be zero before.
    """

    groups: list[list[Placed]]
    zeroed: bool = False


def place_in_entries(terms: Sequence[Term], pattern: Pattern, buffer: int, *, known_zeros: bool) -> Placement:
    """Write terms straight to the entries of a pattern.

    Parameters
    ----------
    terms : sequence of Term
        All of the output by x.
    pattern : Pattern
    buffer : int
        Number of the buffer of entries.
    known_zeros : bool
        Whether terms that have no entry are known to be zero, and left out.

    Raises
    ------
    AssertionError
        If a term that is not known to be zero has no entry.
    """
    finder = EntryFinder(pattern)
    finder.find_all([(term.rows, term.columns) for term in terms])
    placed = [found for term in terms for found in _place(term, finder, buffer, known_zeros=known_zeros)]
    placed = regular(placed)
    groups = [[placed[k] for k in group] for group in grouped(placed)]
    groups.sort(key=lambda group: -prod(group[0].box))  # what comes first is stored, what follows is added
    if _tile(groups, pattern.nnz):
        return Placement(groups)
    touched = np.zeros(pattern.nnz, dtype=np.bool_)
    zeroed = False
    for number, group in enumerate(groups):
        groups[number], unset = _settle(group, touched)
        zeroed |= unset
    few = _few_unset(groups, touched) if zeroed or not touched.all() else None
    if few is None:
        return Placement(groups, zeroed or not touched.all())
    return Placement([[Placed((len(few),), (_ZERO,), buffer, listed(few), adds=False)], *groups])


def _tile(groups: Sequence[Sequence[Placed]], entries: int) -> bool:
    """Whether each entry is written by one address, of one sweep: if all go on by like steps, the first ones tell."""
    addresses = [found for group in groups for found in {term.address.key: term.address for term in group}.values()]
    if not addresses or sum(address.points for address in addresses) != entries or not entries:
        return False
    steps = {(a.box[:1], a.strides[:1]) if isinstance(a, Affine) else None for a in addresses}
    if len(steps) > 1 or None in steps or steps == {((), ())}:
        return False
    affine = [a for a in addresses if isinstance(a, Affine)]
    count, stride = affine[0].box[0], affine[0].strides[0]
    if count * stride != entries or stride > MOST_FIRST:
        return False
    first = [place for address in affine for place in inner_places(address)]
    return sorted(first) == list(range(stride))


def _few_unset(groups: Sequence[Sequence[Placed]], touched: Touched) -> npt.NDArray[np.integer] | None:
    """The entries that nothing is stored to, where they are a small part; None otherwise."""
    least = sum(prod(term.box) for group in groups for term in group if not term.adds)
    if len(touched) - least > FEW * len(touched):
        return None
    unset = np.ones(len(touched), dtype=np.bool_)
    for group in groups:
        for term in group:
            if not term.adds:
                _put(unset, term, value=False)
    found = np.flatnonzero(unset)
    return found if 0 < len(found) <= FEW * len(touched) else None


def _place(term: Term, finder: EntryFinder, buffer: int, *, known_zeros: bool) -> list[Placed]:
    address, slots = finder.find(term.rows, term.columns)
    if address is not None:
        return [Placed(term.box, term.factors, buffer, address, adds=False)]
    assert slots is not None
    met = slots >= 0
    if not known_zeros:
        place = int(np.argmin(met))
        entry = int(term.rows.table()[place]), int(term.columns.table()[place])
        raise AssertionError(f"elimination: a term leads to the entry {entry}, which the pattern lacks")
    if not met.any():
        return []
    points = listed(np.flatnonzero(met))
    return [Placed(points.box, factors_over(term.factors, points), buffer, listed(slots[met]), adds=False)]


def _settle(group: list[Placed], touched: Touched) -> tuple[list[Placed], bool]:
    """Say which terms of a sweep are added, and whether some are where nothing was written before.

    A term is written, and not added, if no earlier sweep and no other term of this one has written to its entries.
    """
    distinct = list({term.address.key: term for term in group}.values())
    is_first = not touched.any()
    repeated: set[object] = set()
    counts = np.zeros(len(touched), dtype=np.uint8) if len(distinct) > 1 or _repeats(distinct[0]) else None
    if counts is not None:
        repeated = {term.address.key for term in distinct if _count(term, counts)}
    adds, unset = {}, False
    for term in distinct:
        key, before = term.address.key, is_first or _at(touched, term)
        free = is_first or not np.any(before)
        adds[key] = key in repeated or not free or (counts is not None and bool((_at(counts, term) > 1).any()))
        unset |= adds[key] and (is_first or not np.all(before))
    turns = (_in_turn(order, touched) for order in (group, group[::-1])) if unset and not repeated else ()
    found = next((turn for turn in turns if turn is not None), None)
    if found is None and unset:
        found = _by_rows(group, touched)
    if counts is not None:
        np.logical_or(touched, counts, out=touched)
    else:
        _put(touched, distinct[0], value=True)
    if found is not None:
        return found, False
    return [replace(term, adds=adds[term.address.key]) for term in group], unset


def _in_turn(group: list[Placed], touched: Touched) -> list[Placed] | None:
    """Terms of which the first at each point writes, and later ones at the same point add; None if that is not so.

    No place may come twice in one term.
    """
    owners = np.full(len(touched), -1, dtype=index_dtype(prod(group[0].box)))
    points = np.arange(prod(group[0].box), dtype=owners.dtype)
    adds: dict[object, bool] = {}
    for term in group:
        if term.address.key in adds:
            continue
        known = _at(owners, term).reshape(-1)
        adds[term.address.key] = bool((known == points).all()) and len(points) > 0
        if not adds[term.address.key] and ((known != -1).any() or _at(touched, term).any()):
            return None
        _put(owners, term, points)
    return [replace(term, adds=adds[term.address.key]) for term in group]


def _by_rows(group: list[Placed], touched: Touched) -> list[Placed] | None:
    """Terms of which some are stored, and others added to what is stored in the same row of points; None if none are.

    A row are the points along the last dimension.
    """
    box = group[0].box
    if len(box) < 2 or box[-1] > row_room(kernel_of(group)[0]):
        return None
    owners = np.full(len(touched), -1, dtype=index_dtype(prod(box[:-1])))
    rows = np.repeat(np.arange(prod(box[:-1]), dtype=owners.dtype), box[-1])
    stored: dict[object, bool] = {}
    for term in {term.address.key: term for term in group}.values():
        is_free = (_at(owners, term) == -1).all() and not _at(touched, term).any()
        stored[term.address.key] = bool(is_free) and _is_distinct(term, len(touched))
        if stored[term.address.key]:
            _put(owners, term, rows)
    added = [term for term in group if not stored[term.address.key]]
    if len(added) == len(group) or not all((_at(owners, term).reshape(-1) == rows).all() for term in added):
        return None
    kept = [term for term in group if stored[term.address.key]]
    return [*(replace(t, adds=False) for t in kept), *(replace(t, adds=True, late=True) for t in added)]


def _is_distinct(term: Placed, entries: int) -> bool:
    """Whether no two points of a term go to one place."""
    return not _repeats(term) or not _count(term, np.zeros(entries, dtype=np.uint8))


def _repeats(term: Placed) -> bool:
    """Whether two points of a term may have one place."""
    if isinstance(term.address, Table):
        return True
    reach = 0
    for stride, length in sorted((abs(s), n) for s, n in zip(term.address.strides, term.box, strict=True)):
        if length > 1 and stride <= reach:
            return True
        reach += stride * (length - 1)
    return False


def _count(term: Placed, counts: npt.NDArray[np.uint8]) -> bool:
    """Add one wherever a term goes, two being many; tells whether two of its points go to one place."""
    if not _repeats(term):
        places = _view(counts, term)
        np.minimum(places + np.uint8(1), 2, out=places)
        return False
    met = np.zeros(len(counts), dtype=np.bool_)
    _put(met, term, value=True)
    np.add(counts, met.view(np.uint8), out=counts)
    np.minimum(counts, np.uint8(2), out=counts)
    return int(np.count_nonzero(met)) < prod(term.box)


def _at(array: npt.NDArray[Any], term: Placed) -> npt.NDArray[Any]:
    """What stands at the places of a term."""
    return np.take(array, term.address.places) if isinstance(term.address, Table) else _view(array, term)


def _put(array: npt.NDArray[Any], term: Placed, value: Any) -> None:
    """Write to the places of a term."""
    if isinstance(term.address, Table):
        array[term.address.places] = value
    else:
        places = _view(array, term)
        places[...] = value if np.ndim(value) == 0 else value.reshape(term.box)


def _view(array: npt.NDArray[Any], term: Placed) -> npt.NDArray[Any]:
    """The places of an affine term, which may be written to."""
    assert isinstance(term.address, Affine)
    if not prod(term.box):
        return array[:0].reshape(term.box)
    size = array.itemsize
    strides = tuple(size * stride for stride in term.address.strides)
    return np.ndarray(term.box, array.dtype, array, size * term.address.offset, strides)
