"""Boxes split into an inside, where the places of all terms are affine, and the little that is left.

Rows next to the rim of a periodic grid have their entries in another order than the others, so that the places of a
term over all rows are a table, for the sake of a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Table
from sparsejac.elimination.assembly import Placed
from sparsejac.pieces.boxes import Ranges, cells, full, within
from sparsejac.programs.addressing import Box

LEAST = 64
"""Points of a box that is worth a split."""

SHARE = 0.5
"""Part of a box that has to be inside."""


def regular(placed: Sequence[Placed]) -> list[Placed]:
    """Split the boxes over which some places are tables, all terms over one box alike."""
    boxes: dict[Box, list[Placed]] = {}
    for term in placed:
        boxes.setdefault(term.box, []).append(term)
    cut = {box: cut_regularly(box, terms) for box, terms in boxes.items()}
    found: list[Placed] = []
    for term in placed:
        parts = cut[term.box]
        found += [term] if parts is None else [term.over(within(term.box, part)) for part in parts]
    return found


def cut_regularly(box: Box, terms: Sequence[Placed]) -> list[Ranges] | None:
    """The part of a box where all places are affine, and the boxes around it; None where that is not worth a split."""
    tables = [term.address for term in terms if isinstance(term.address, Table)]
    loads = (load for term in terms for factor in term.factors for load in factor.loads)
    if not tables or prod(box) < LEAST or any(isinstance(load.address, Table) for load in loads):
        return None
    ranges = full(box)
    for address in tables:
        found = _affine_part(address.places.reshape(box))
        ranges = tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(ranges, found, strict=True))
    volume = prod(max(b - a, 0) for a, b in ranges)
    return cells(box, [ranges], 3 ** len(box)) if SHARE * prod(box) <= volume < prod(box) else None


def _affine_part(places: npt.NDArray[np.integer]) -> Ranges:
    """Ranges around the middle within which places step evenly along each axis."""
    middle = tuple(n // 2 for n in places.shape)
    expected = np.asarray(int(places[middle]))
    for axis, length in enumerate(places.shape):
        beside = tuple(m - (k == axis) for k, m in enumerate(middle))
        step = int(places[middle]) - int(places[beside]) if length > 1 else 0
        along = step * (np.arange(length) - middle[axis])
        expected = expected + along.reshape([-1 if k == axis else 1 for k in range(places.ndim)])
    even = places == expected
    ranges: list[tuple[int, int]] = []
    for axis, length in enumerate(places.shape):
        others = tuple(
            slice(*ranges[k]) if k < axis else slice(n // 4, n - n // 4) if k > axis else slice(None)
            for k, n in enumerate(places.shape)
        )
        fits = even[others].all(axis=tuple(k for k in range(places.ndim) if k != axis))
        wrong = np.flatnonzero(~fits)
        low = int(wrong[wrong < middle[axis]].max(initial=-1)) + 1
        high = int(wrong[wrong >= middle[axis]].min(initial=length))
        ranges.append((low, high))
    return tuple(ranges) if even[tuple(slice(a, b) for a, b in ranges)].all() else ((0, 0),) * places.ndim
