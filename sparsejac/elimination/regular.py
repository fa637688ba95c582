"""Parts of the output whose rows are eliminated by index arithmetic alone: no tables, whatever the number of cuts.

Where all terms of a cut Program are affine, as in steps of a stencil, most rows of the output look alike: seen from
them, each vertex between x and the output is met at some affine addresses, and around each of these the same terms are
found. A *region* is a box of such rows. It is found by a walk from the output back to x that shrinks the box wherever a
row would meet other terms than the row in the middle does. Rows outside of all regions are left to tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from sparsejac.elimination.demands import Factor, factors_over
from sparsejac.elimination.digits import Digits, IrregularError, Ranges, solve
from sparsejac.elimination.expansion import OUTPUT, Expanded, Term, X
from sparsejac.elimination.straight import affine, is_affine, untabled, upright
from sparsejac.pieces.boxes import inside
from sparsejac.programs.addressing import contiguous

MOST_BANDS = 96
"""Places of one vertex that a row may depend on."""

MOST_TERMS = 1000
"""Terms of one vertex."""

WORD = 63
"""Terms that one number tells of."""

MOST_KINDS = 255
"""Kinds of places of one vertex."""

MOST_REGIONS = 4

FEWEST_ROWS = 16
"""Regions with fewer are not worth their sweeps."""

MOST_CUTS = 64
"""Points by which a box is cut after it was cut along the lines through its middle."""

LARGEST_REST = 0.25
"""Part of the rows that may be left to tables."""

Mask = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Coefficients:
    """The terms at one vertex that are met together, over a box that holds all places where a region meets them.

    Parameters
    ----------
    vertex : int
    rows : Affine
        Places of the vertex, over the box.
    low : int
        The lowest of these.
    span : int
        Places from there to the highest one.
    terms : dict
        Terms by the vertex that they lead to and their column address over the box: products of factors to be summed.
    """

    vertex: int
    rows: Affine
    low: int
    span: int
    terms: dict[tuple[int, Affine], list[tuple[Factor, ...]]]


@dataclass(eq=False)
class Band:
    """The derivative of the rows of a region by one place of a vertex for each of them.

    Parameters
    ----------
    vertex : int
    address : Affine
        The place for each point of the region.
    sources : list
        Summed: a band of a later vertex, or None for the output itself; the coefficients that it is multiplied by, and
        which of them.
    """

    vertex: int
    address: Affine
    sources: list[tuple[Band | None, Coefficients, tuple[int, Affine]]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Region:
    """Rows of the output that are alike.

    Parameters
    ----------
    rows : Affine
    coefficients : list of Coefficients
    bands : dict
        Bands of each vertex, the last one first, ordered by address.
    """

    rows: Affine
    coefficients: list[Coefficients]
    bands: dict[int, list[Band]]

    @property
    def multiplications(self) -> int:
        """At each x."""
        sources = [s for bands in self.bands.values() for band in bands for s in band.sources]
        return self.rows.points * sum(band is not None for band, _, _ in sources)


@dataclass(frozen=True, eq=False)
class Regular:
    """The regions of a Program, and the rows of the output that belong to none.

    Parameters
    ----------
    regions : list of Region
    rest : array of bool
        For each row.
    """

    regions: list[Region]
    rest: Mask


def regular(found: Expanded, sizes: dict[int, int]) -> Regular | None:
    """Find regions; None where too much would be left.

    Parameters
    ----------
    found : Expanded
        Of a cut Program.
    sizes : dict
        Length of each vertex.
    """
    by_vertex: dict[int, list[Term]] = {vertex: [] for vertex in sizes}
    try:
        for term in (part for whole in found.terms for part in untabled(whole)):
            by_vertex[term.row_vertex].append(upright(term))
        if max(map(len, by_vertex.values())) > MOST_TERMS:
            return None
        vertices = {vertex: _Vertex(terms, sizes[vertex]) for vertex, terms in by_vertex.items() if vertex != X}
        order = [OUTPUT, *reversed(found.cuts), X]
        return _regions(vertices, order, sizes[OUTPUT])
    except IrregularError:
        return None


class _Vertex:
    """The terms of one vertex, and for each of its places which of them are found there."""

    def __init__(self, terms: list[Term], size: int) -> None:
        self.terms, self.size = terms, size
        masks = np.zeros((1 + len(terms) // WORD, size), dtype=np.uint64)
        for k, term in enumerate(terms):
            mask, bit = masks[k // WORD], np.uint64(1 << k % WORD)
            if isinstance(term.rows, Affine):
                _view(mask, term.rows)[...] |= bit
            else:
                mask[term.rows.places] |= bit
        starts = np.append(0, np.flatnonzero((masks[:, 1:] != masks[:, :-1]).any(axis=0)) + 1) if size else np.arange(0)
        self.kinds, numbers = np.unique(masks[:, starts], axis=1, return_inverse=True)
        if self.kinds.shape[1] > MOST_KINDS:
            raise IrregularError
        self.kind = np.repeat(numbers.reshape(-1).astype(np.uint8), np.diff(starts, append=size))

    def members(self, kind: int) -> list[Term]:
        """The terms at places of one kind."""
        mask = self.kinds[:, kind].tolist()
        return [term for k, term in enumerate(self.terms) if mask[k // WORD] >> k % WORD & 1]

    def at(self, address: Affine) -> npt.NDArray[np.uint8]:
        """The kind of each place; 255 beyond the ends."""
        reach = [s * (n - 1) for s, n in zip(address.strides, address.box, strict=True)]
        low = address.offset + sum(min(r, 0) for r in reach)
        before, after = max(-low, 0), max(address.offset + sum(max(r, 0) for r in reach) + 1 - self.size, 0)
        kind = self.kind
        if before or after:
            kind = np.pad(kind, (min(before, self.size), min(after, self.size)), constant_values=255)
            if before > self.size or after > self.size:
                raise IrregularError
        return _view(kind, Affine(address.box, address.offset + before, address.strides))


def _view(array: npt.NDArray[np.generic], address: Affine) -> npt.NDArray:  # type: ignore[type-arg]
    strides = tuple(s * array.itemsize for s in address.strides)
    return np.ndarray(address.box, array.dtype, array, address.offset * array.itemsize, strides)


def _regions(vertices: dict[int, _Vertex], order: list[int], size: int) -> Regular | None:
    rest = np.ones(size, dtype=np.bool_)
    found: list[Region] = []
    candidates = sorted(
        {t.rows for t in vertices[OUTPUT].terms if isinstance(t.rows, Affine)}, key=lambda rows: -rows.points
    )
    for rows in candidates:
        middle = rows.offset + sum(n // 2 * s for n, s in zip(rows.box, rows.strides, strict=True))
        if rows.points < FEWEST_ROWS or len(found) == MOST_REGIONS or not rest[middle]:
            continue
        try:
            region = _region(vertices, order, rows)
        except IrregularError:
            continue
        free = _view(rest, region.rows)
        if region.rows.points >= FEWEST_ROWS and free.all():
            free[...] = False
            found.append(region)
    if not found or np.count_nonzero(rest) > LARGEST_REST * size:
        return None
    return Regular(found, rest)


def _region(vertices: dict[int, _Vertex], order: list[int], rows: Affine) -> Region:
    walk = _Walk(vertices, order, rows, [(0, n) for n in rows.box])
    walk.run()
    final = _Walk(vertices, order, rows, walk.ranges)
    region = final.run()
    if final.ranges != walk.ranges:
        raise IrregularError
    return region


class _Walk:
    """From the output to x, for a box of rows that shrinks on the way."""

    def __init__(self, vertices: dict[int, _Vertex], order: list[int], rows: Affine, ranges: Ranges) -> None:
        self.vertices, self.order, self.rows = vertices, order, rows
        self.ranges = list(ranges)
        self.middle = [n // 2 for n in rows.box]
        self.bands: dict[int, dict[tuple[object, ...], Band]] = {}
        self.coefficients: list[Coefficients] = []

    def inside(self, address: Affine) -> Affine:
        """What is known over all rows, over those that are left."""
        return inside(address, tuple(self.ranges))

    def outside(self, address: Affine) -> Affine:
        """The opposite of `inside`."""
        offset = address.offset - sum(a * s for (a, _), s in zip(self.ranges, address.strides, strict=True))
        return Affine(self.rows.box, offset, address.strides)

    def run(self) -> Region:
        """All vertices."""
        self.bands[OUTPUT] = {self.rows.key: Band(OUTPUT, self.rows)}
        for vertex in self.order[:-1]:
            own = self.bands.get(vertex, {})
            if len(own) > MOST_BANDS:
                raise IrregularError
            self.visit(vertex, sorted(own.values(), key=_order))
        bands = {v: sorted(self.bands[v].values(), key=_order) for v in self.order[1:] if v in self.bands}
        if len(bands.get(X, [])) > MOST_BANDS:
            raise IrregularError
        for band in (band for several in bands.values() for band in several):
            band.address = self.inside(band.address)
        return Region(self.inside(self.rows), self.coefficients, bands)

    def visit(self, vertex: int, own: list[Band]) -> None:
        """Lead the bands of a vertex on to those that it is computed from."""
        kinds: dict[int, list[Band]] = {}
        for band in own:
            kinds.setdefault(self.shrunk(vertex, band.address), []).append(band)
        for kind, bands in kinds.items():
            members = self.vertices[vertex].members(kind)
            if members:
                self.lead(vertex, members, bands)

    def lead(self, vertex: int, members: list[Term], bands: list[Band]) -> None:
        """The same for bands that meet the same terms."""
        if not all(map(is_affine, members)):
            raise IrregularError
        first = affine(max(members, key=lambda term: len(term.box)).rows)
        digits = [solve(first, self.inside(band.address)) for band in bands]
        box = tuple(b - a for a, b in self.ranges)
        every = [d.ranges(box) for d in digits]
        hull = [(min(a for a, _ in axis), max(b for _, b in axis)) for axis in zip(*every, strict=True)]
        rows = inside(first, tuple(hull))
        found = coefficients_of(vertex, rows, members)
        self.coefficients.append(found)
        for band, digit in zip(bands, digits, strict=True):
            moved = Digits(tuple(d - a for d, (a, _) in zip(digit.start, hull, strict=True)), digit.steps)
            for key in found.terms:
                column, address = key
                place = self.outside(moved.through(address, box))
                known = self.bands.setdefault(column, {})
                target = known.setdefault(place.key, Band(column, place))
                target.sources.append((None if vertex == OUTPUT else band, found, key))

    def shrunk(self, vertex: int, address: Affine) -> int:
        """Leave out rows that meet something else than the middle one; the kind of what that meets."""
        place = address.offset + sum(m * s for m, s in zip(self.middle, address.strides, strict=True))
        if not 0 <= place < self.vertices[vertex].size:
            raise IrregularError
        wanted = int(self.vertices[vertex].kind[place])
        for _ in range(MOST_CUTS):
            bad = self.vertices[vertex].at(self.inside(address)) != wanted
            if not bad.any():
                return wanted
            self.cut(bad)
        raise IrregularError

    def cut(self, bad: Mask) -> None:
        """Along the lines through the middle; where these are good, by one side of the first bad point."""
        before = list(self.ranges)
        middle = [m - a for m, (a, _) in zip(self.middle, before, strict=True)]
        for axis, (low, high) in enumerate(before):
            line = np.flatnonzero(bad[tuple(slice(None) if k == axis else m for k, m in enumerate(middle))])
            lower, upper = line[line < middle[axis]], line[line > middle[axis]]
            first = low + int(lower[-1]) + 1 if len(lower) else low
            self.ranges[axis] = first, low + int(upper[0]) if len(upper) else high
        if self.ranges != before:
            return
        point = np.unravel_index(int(np.argmax(bad)), bad.shape)
        losses = [
            (p + 1 if p < m else n - p, axis)
            for axis, (p, m, n) in enumerate(zip(map(int, point), middle, bad.shape, strict=True))
            if p != m
        ]
        _, axis = min((loss / bad.shape[axis], axis) for loss, axis in losses)
        (low, high), p = before[axis], int(point[axis])
        self.ranges[axis] = (low + p + 1, high) if p < middle[axis] else (low, low + p)


def _order(band: Band) -> tuple[int, tuple[int, ...]]:
    return band.address.offset, band.address.strides


def coefficients_of(vertex: int, rows: Affine, members: Iterable[Term]) -> Coefficients:
    """The terms that are met over a box of places of a vertex."""
    terms: dict[tuple[int, Affine], list[tuple[Factor, ...]]] = {}
    for term in members:
        digits = solve(affine(term.rows), rows)
        columns = digits.through(affine(term.columns), rows.box)
        points = digits.through(contiguous(term.box), rows.box)
        factors = factors_over(term.factors, points)
        if not all(isinstance(load.address, Affine) for factor in factors for load in factor.loads):
            raise IrregularError
        terms.setdefault((term.column_vertex, columns), []).append(factors)
    reach = sum(s * (n - 1) for s, n in zip(rows.strides, rows.box, strict=True))
    ordered = dict(sorted(terms.items(), key=lambda item: (item[0][0], item[0][1].offset)))
    return Coefficients(vertex, rows, rows.offset, reach + 1, ordered)
