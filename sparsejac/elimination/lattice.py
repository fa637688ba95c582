"""Terms by rows: those that add to the same rows over one box, so that each entry is written once.

Demands shift rows: the flux through the face of two cells counts for both. Written down face by face, its terms would
be added to entries that neighbouring faces add to as well. Written down row by row, an entry is one sum in one kernel,
and loops over rows vectorise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

from kernels.address import Address, Affine
from kernels.records import dataclass
from sparsejac.elimination.demands import Part, part_of
from sparsejac.elimination.expansion import Term
from sparsejac.pieces.boxes import Ranges, contains, grid, merged
from sparsejac.programs.addressing import Box, contiguous

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
    known: list[tuple[int, tuple[int, ...]]] = []
    for term in sorted(terms, key=lambda term: -prod(term.box)):
        steps = _steps(term)
        if steps is None:
            yield None, term
            continue
        fitting = next((more for vertex, more in known if vertex == term.row_vertex and set(steps) <= set(more)), None)
        if fitting is None:
            known.append((term.row_vertex, steps))
        yield _lattice_of(term, fitting or steps or (1,)), term


def _steps(term: Term) -> tuple[int, ...] | None:
    """How far the rows of a term lie apart along its dimensions, the farthest first; None where they are no lattice."""
    if not isinstance(term.rows, Affine) or prod(term.box) == 0:
        return None
    steps = {abs(s) for n, s in zip(term.box, term.rows.strides, strict=True) if n > 1}
    return None if 0 in steps else tuple(sorted(steps, reverse=True))


def _lattice_of(term: Term, steps: tuple[int, ...]) -> _Lattice | None:
    assert isinstance(term.rows, Affine)
    if any(outer % inner for outer, inner in pairwise(steps)):
        return None
    unit = steps[-1]
    lowest = term.rows.offset + sum(min(s * (n - 1), 0) for n, s in zip(term.box, term.rows.strides, strict=True))
    return _Lattice(lowest % unit, unit, (_ENDLESS, *(outer // inner for outer, inner in pairwise(steps))))


def _cut(members: list[tuple[Term, Part]]) -> list[Term]:
    """Terms of one lattice over the boxes that all of them share or none."""
    cells = _cells([part.ranges for _, part in members])
    if cells is None:
        return [term for term, _ in members]
    found = []
    for cell, numbers in cells:
        for term, part in (members[k] for k in numbers):
            points = part.back(cell)
            found.append(term if points == contiguous(term.box) else term.over(points))
    return found


def _cells(parts: list[Ranges]) -> list[tuple[Ranges, list[int]]] | None:
    """Cut overlapping parts into boxes that belong to the same parts throughout, with the numbers of these."""
    cut = grid(parts, 4 * MOST_CELLS)
    if cut is None:
        return None
    members = [(cell, [k for k, part in enumerate(parts) if contains(part, cell)]) for cell in cut]
    found = merged([(cell, numbers) for cell, numbers in members if numbers])
    return found if len(found) <= max(MOST_CELLS, len(parts)) else None
