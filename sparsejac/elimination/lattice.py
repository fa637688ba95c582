"""Terms by rows: those that add to the same rows over one box, so that each entry is written once.

Demands shift rows: the flux through the face of two cells counts for both. Written down face by face, its terms would
be added to entries that neighbouring faces add to as well. Written down row by row, an entry is one sum in one kernel,
and loops over rows vectorise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import prod

from kernels.address import Address, Affine
from sparsejac.addressing import Box, composed, contiguous
from sparsejac.elimination.demands import Part, part_of
from sparsejac.elimination.expansion import Term

_ENDLESS = 2**40
"""Length of the outermost dimension of a lattice."""

MOST_CELLS = 64
"""Boxes into which overlapping terms are cut; where more are needed, they stay as they are."""


def by_rows(terms: Sequence[Term]) -> list[Term]:
    """Cut terms whose rows overlap, so that any two have the same rows in the same order, or none in common.

    Terms whose rows are not affine, or come more than once, stay as they are.
    """
    groups: dict[object, list[tuple[Term, Part]]] = {}
    found: list[Term] = []
    for lattice, term in _on_lattices(terms):
        part = None if lattice is None else lattice.part(term.rows)
        if lattice is None or part is None:
            found.append(term)
        else:
            groups.setdefault((term.row_vertex, lattice), []).append((term, part))
    for members in groups.values():
        found += _cut(members)
    return found


@dataclass(frozen=True)
class _Lattice:
    """Rows at ``first + strides . i`` for the points i of a box."""

    first: int
    unit: int
    box: Box

    def part(self, rows: Address) -> Part | None:
        """Which points of the lattice an address leads to, if once each."""
        if not isinstance(rows, Affine) or any(s % self.unit for s in rows.strides):
            return None
        strides = tuple(s // self.unit for s in rows.strides)
        return part_of(Affine(rows.box, (rows.offset - self.first) // self.unit, strides), self.box)


def _on_lattices(terms: Sequence[Term]) -> Iterator[tuple[_Lattice | None, Term]]:
    """Each term with the lattice of the largest term that it fits into."""
    known: list[tuple[int, int, tuple[int, ...]]] = []
    for term in sorted(terms, key=lambda term: -prod(term.box)):
        if not isinstance(term.rows, Affine) or prod(term.box) == 0:
            yield None, term
            continue
        steps = sorted({abs(s) for n, s in zip(term.box, term.rows.strides, strict=True) if n > 1}, reverse=True)
        if 0 in steps:
            yield None, term
            continue
        fitting = next((k for k in known if k[0] == term.row_vertex and set(steps) <= set(k[2])), None)
        if fitting is None:
            known.append((term.row_vertex, 0, tuple(steps)))
            fitting = known[-1]
        yield _lattice_of(term, fitting[2]), term


def _lattice_of(term: Term, steps: tuple[int, ...]) -> _Lattice | None:
    assert isinstance(term.rows, Affine)
    if not steps:
        steps = (1,)
    if any(outer % inner for outer, inner in pairwise(steps)):
        return None
    unit = steps[-1]
    lowest = term.rows.offset + sum(min(s * (n - 1), 0) for n, s in zip(term.box, term.rows.strides, strict=True))
    return _Lattice(lowest % unit, unit, (_ENDLESS, *(outer // inner for outer, inner in pairwise(steps))))


def _cut(members: list[tuple[Term, Part]]) -> list[Term]:
    """Terms of one lattice over the boxes that all of them share or none."""
    cells = _cells([part for _, part in members])
    if cells is None:
        return [term for term, _ in members]
    found = []
    for low, lengths, numbers in cells:
        for term, part in (members[k] for k in numbers):
            points = part.back(low, lengths)
            found.append(term if points == contiguous(term.box) else over(term, points))
    return found


def over(term: Term, points: Address) -> Term:
    """A term at some of its points."""
    rows, columns = composed(term.rows, points), composed(term.columns, points)
    return replace(term, rows=rows, columns=columns, factors=tuple(factor.over(points) for factor in term.factors))


def _cells(parts: list[Part]) -> list[tuple[Box, Box, list[int]]] | None:
    """Cut overlapping parts into boxes that belong to the same parts throughout: low, lengths, members."""
    cuts = [
        sorted({edge for p in parts for edge in (p.low[axis], p.low[axis] + p.lengths[axis])})
        for axis in range(len(parts[0].low))
    ]
    if prod(len(cut) - 1 for cut in cuts) > 4 * MOST_CELLS:
        return None
    cells = []
    for spans in product(*(list(pairwise(cut)) for cut in cuts)):
        low = tuple(a for a, _ in spans)
        members = [k for k, part in enumerate(parts) if part.has(low)]
        if members:
            cells.append((low, tuple(b - a for a, b in spans), members))
    merged = _merged(cells)
    return merged if len(merged) <= max(MOST_CELLS, len(parts)) else None


def _merged(cells: list[tuple[Box, Box, list[int]]]) -> list[tuple[Box, Box, list[int]]]:
    """Neighbours of the same parts as one, along one axis after the other, the last one first."""
    dims = len(cells[0][0]) if cells else 0
    for axis in reversed(range(dims)):
        others = [k for k in range(dims) if k != axis]
        cells = sorted(cells, key=lambda cell: ([(cell[0][k], cell[1][k]) for k in others], cell[0][axis]))
        kept: list[tuple[Box, Box, list[int]]] = []
        for low, lengths, members in cells:
            if kept:
                before, size, same = kept[-1]
                alike = all(before[k] == low[k] and size[k] == lengths[k] for k in others) and same == members
                if alike and before[axis] + size[axis] == low[axis]:
                    grown = tuple(n + lengths[axis] if k == axis else n for k, n in enumerate(size))
                    kept[-1] = (before, grown, members)
                    continue
            kept.append((low, lengths, members))
        cells = kept
    return cells
