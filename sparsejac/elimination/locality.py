"""Terms in an order in which neighbouring points touch neighbouring numbers.

Elements of a mesh, or links of a network, come in any order; where it is a random one, each point of a sweep fetches
its numbers and its entries from memory. The points of a term may be taken in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Table
from kernels.lazy import Lazy
from sparsejac.elimination.common_points import shared_cells
from sparsejac.elimination.demands import listed
from sparsejac.elimination.expansion import Term
from sparsejac.programs.addressing import Box, table

# Small problems are left in their order.
GROUPING = Lazy("sparsejac.programs.grouping")

LEAST = 1 << 14
"""Points from which the order counts: what fewer ones touch is in a cache."""

GAIN = 2
"""By how much the numbers that are fetched anew have to become fewer."""

_LINE = 8
_WINDOWS, _WINDOW = 16, 1 << 10

Points = npt.NDArray[np.integer]


def together(terms: Sequence[Term]) -> list[Term]:
    """Cut terms that were met at the same points, so that those of each point are over one box."""
    groups: dict[object, list[Term]] = {}
    for term in terms:
        groups.setdefault(id(term) if term.origin is None else term.origin, []).append(term)
    return [part for members in groups.values() for part in _cut(members)]


def _cut(terms: list[Term]) -> list[Term]:
    known = {term.within.key: term.within for term in terms if term.within is not None}
    if len(known) < 2 or not any(isinstance(address, Table) for address in known.values()):
        return terms
    cells = shared_cells([address.table() for address in known.values()])
    if cells is None:
        return terms
    number = {key: k for k, key in enumerate(known)}
    found = []
    for _, members in cells:
        points = {k: listed(places) for k, places in members}
        chosen = ((term, points.get(number[term.within.key])) for term in terms if term.within is not None)
        found += [term.over(part) for term, part in chosen if part is not None]
    return found


def nearby(terms: Sequence[Term]) -> list[Term]:
    """Sort the points of terms where that brings what they touch together, those of one box alike."""
    boxes: dict[Box, list[Term]] = {}
    for term in terms:
        boxes.setdefault(term.box, []).append(term)
    orders = {box: _order(box, members) for box, members in boxes.items() if prod(box) >= LEAST}
    found = []
    for term in terms:
        order = orders.get(term.box)
        found.append(term if order is None else term.over(order))
    return found


def _order(box: Box, terms: Sequence[Term]) -> Table | None:
    """By the rows, or else the columns, that are farthest apart as they are; None where that is not worth it."""
    touched = list(_touched(terms))
    keys = [address for term in terms for address in (term.rows, term.columns) if isinstance(address, Table)]
    if not keys:
        return None
    windows = _windows(prod(box))
    key = max(keys, key=lambda address: _lines(address.places, windows))
    order, _, _ = GROUPING.grouped(key.places)
    before = sum(weight * _lines(address.table(), windows) for weight, address in touched if isinstance(address, Table))
    after = sum(weight * _lines(address.table(), order[windows]) for weight, address in touched)
    return table((len(order),), order) if GAIN * after <= before else None


def _touched(terms: Iterable[Term]) -> Iterator[tuple[int, Address]]:
    """What points lead to, neighbouring places once: loads, and rows, whose entries are both read and written."""
    known: set[object] = set()
    for term in terms:
        loads = ((1, load.buffer, load.address) for factor in term.factors for load in factor.loads)
        for weight, buffer, address in ((2, -1, term.rows), *loads):
            key = (buffer, address.strides) if isinstance(address, Affine) else (buffer, address.key)
            if key not in known and not (isinstance(address, Affine) and not any(address.strides)):
                known.add(key)
                yield weight, address


def _windows(size: int) -> Points:
    """Some runs of points."""
    starts = np.linspace(0, max(size - _WINDOW, 0), _WINDOWS).astype(np.int64)
    return np.asarray(np.minimum(starts[:, np.newaxis] + np.arange(_WINDOW), size - 1))


def _lines(places: Points, windows: Points) -> int:
    """How many cache lines the points of each run touch, in all."""
    lines = np.sort(places[windows].astype(np.int64) // _LINE, axis=1)
    return len(lines) + int(np.count_nonzero(np.diff(lines, axis=1)))
