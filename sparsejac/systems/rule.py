"""Solutions of sparse systems as nodes of Programs, which can be differentiated as often as is wanted.

For ``A y = b`` the tangent is that of ``A ẏ = ḃ - Ȧ y``, and a cotangent goes back by a solve with the transpose: both
are calls of the same sort with the same factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.on_disk.digests import digest_of
from sparsejac.patterns.pattern import Pattern
from sparsejac.programs.addressing import composed, contiguous, recognised
from sparsejac.programs.program import Load, Node, Program, Routine
from sparsejac.systems.factors import system_of
from sparsejac.systems.points import Points, points_of
from sparsejac.systems.structure import BlockStructure
from sparsejac.systems.written_out import written_out
from sparsejac.transforms.builder import Builder

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SparseSolve:
    """The rule of a call that solves systems: its operands are the entries in CSR order, and the right-hand sides.

    Parameters
    ----------
    title : str
        What readers know the solve by.
    pattern : Pattern
        Of the matrix.
    transposed : bool
        Whether the systems are those of the transpose.
    """

    title: str
    pattern: Pattern
    transposed: bool = False

    @property
    def differentiable(self) -> tuple[int, ...]:
        """Entries and right-hand sides."""
        return (0, 1)

    @property
    def inner(self) -> tuple[Program, ...]:
        """None."""
        return ()

    @property
    def structure(self) -> BlockStructure:
        """Of the matrix whose systems are solved."""
        return BlockStructure(self.pattern.T) if self.transposed else system_of(self.pattern).structure

    @property
    def size(self) -> int:
        """Number of equations."""
        return self.pattern.shape[0]

    def routine(self) -> Routine:
        """What runs it."""
        system, size = system_of(self.pattern), self.size

        def solve(data: Floats, right: Floats) -> Floats:
            columns = right.reshape(size, -1) if size else right.reshape(0, 0)
            return system.solve(data.reshape(-1), columns, transposed=self.transposed).reshape(-1)

        return Routine(f"a solve in {self.title}", (digest_of(self.pattern), self.transposed), solve, self)

    def solution(self, builder: Builder, entries: Load, right: Load) -> Node:
        """The node of a solution."""
        return builder.graph.call(self.routine(), right.address.points, (entries, right))

    def push(
        self,
        builder: Builder,
        node: Node,
        tangents: Mapping[int, Load],
        seeds: int | None,
        *,
        guarded: bool,
        again: bool = False,
    ) -> Node | None:
        """See `CallRule`: the solution for what remains of ``ḃ - Ȧ y``."""
        count = seeds or 1
        right = builder.flat(tangents[1]) if 1 in tangents else None
        if 0 in tangents:
            right = _minus(builder, right, self._moved(builder, node, builder.flat(tangents[0]), count))
        return None if right is None else self.solution(builder, node.loads[0], right)

    def pull(self, builder: Builder, node: Node, operand: int, cotangent: Load) -> Load:
        """See `CallRule`: a solve with the transpose."""
        assert operand == 1, "a solve is linear in its right-hand side alone"
        back = SparseSolve(self.title, self.pattern, not self.transposed).solution(builder, node.loads[0], cotangent)
        return Load(back, contiguous(node.loads[1].address.box))

    def explicit(self, builder: Builder, node: Node, loads: tuple[Load, ...], source: Node) -> Node:
        """See `CallRule`."""
        entries, right = loads
        known = Load(node, contiguous((node.size,)))
        residual = builder.flat(right) if right.node.active else None
        if entries.node.active:
            residual = _minus(builder, residual, self._product(builder, builder.flat(entries), known))
        assert residual is not None
        return written_out(builder, node, self, entries, builder.owned((node.size,), residual), source)

    def points(self, count: int) -> Points:
        """The products of the matrix with `count` columns; entries are counted as in `pattern`."""
        if not self.transposed:
            return points_of(self.pattern.indptr, self.pattern.indices, count)
        turned = self.pattern.T
        order = np.argsort(self.pattern.indices, kind="stable")
        points = points_of(turned.indptr, turned.indices, count)
        return Points(order[points.entries], points.elements, points.columns, points.indptr)

    def _moved(self, builder: Builder, node: Node, tangent: Load, seeds: int) -> Load:
        """The tangents of the matrix, times the solution: `seeds` for each number of it."""
        columns = node.size // self.size
        points = self.points(columns * seeds)
        column, seed = np.divmod(points.columns, seeds)
        entries = Load(tangent.node, composed(tangent.address, recognised(points.entries * seeds + seed)))
        elements = Load(node, recognised(points.elements * columns + column))
        return _summed(builder, entries, elements, points)

    def _product(self, builder: Builder, entries: Load, dense: Load) -> Load:
        """The matrix times dense columns."""
        columns = dense.address.points // self.size
        points = self.points(columns)
        factors = Load(entries.node, composed(entries.address, recognised(points.entries)))
        places = recognised(points.elements * columns + points.columns)
        return _summed(builder, factors, Load(dense.node, composed(dense.address, places)), points)


def _minus(builder: Builder, first: Load | None, second: Load) -> Load:
    box = second.address.box
    return builder.negative(box, second) if first is None else builder.map("subtract", box, first, second)


def _summed(builder: Builder, entries: Load, elements: Load, points: Points) -> Load:
    box = (len(points.entries),)
    products = builder.map("multiply", box, entries, elements)
    total: Any = builder.graph.sum(box, products, indptr=points.indptr)
    return Load(total, contiguous((total.size,)))
