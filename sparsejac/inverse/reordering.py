"""The same Program in another order: nodes are taken apart by the levels on which their elements are made.

Behind this, the cuts that a maximum flow has found are cuts of the order itself. No operation at any point changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from kernels.address import Address
from kernels.distinct import distinct_numbers
from sparsejac.location import NOWHERE
from sparsejac.programs.addressing import composed, contiguous, recognised
from sparsejac.programs.program import Decision, Graph, Load, Node, Piece, Program, program
from sparsejac.transforms.builder import Builder, copy_of

Ints = npt.NDArray[np.int64]
Level = int | Ints


class OrderError(Exception):
    """A value is needed before the level on which it is made."""


def reordered(given: Program, lumps: Ints, alive: Mapping[int, tuple[Ints, Ints]]) -> Program:
    """The Program with its nodes ordered by lump, then by level.

    Parameters
    ----------
    given : Program
    lumps : array of int
        For each node the lump that it belongs to.
    alive : mapping
        For nodes, by their place in the Program: elements, and the levels on which these have to be made.

    Returns
    -------
    Program
        With the same inputs and constants, in the same order.

    Raises
    ------
    OrderError
        If a number is needed, as a value, before it is made.
    """
    levels = _levels(given, lumps, alive)
    return _Reordering(given).made(levels, lumps)


def _levels(given: Program, lumps: Ints, alive: Mapping[int, tuple[Ints, Ints]]) -> list[Level]:
    """For each node the levels of its elements: as given, or as early as what they read allows."""
    place = {node.index: time for time, node in enumerate(given.nodes)}
    found: list[Level] = []
    for time, node in enumerate(given.nodes):
        earliest = np.zeros(node.size, dtype=np.int64)
        for operand, places, rows in _reads(node):
            source = place[operand.index]
            if lumps[source] == lumps[time] and not _is_zero(found[source]):
                level = found[source]
                np.maximum.at(earliest, rows, level if isinstance(level, int) else level[places])
        if node.kind == "call" and node.size:
            earliest[:] = earliest.max()
        if time in alive:
            elements, wanted = alive[time]
            if (wanted < earliest[elements]).any():
                raise OrderError
            earliest[elements] = wanted
            if node.kind == "call" and node.size and (earliest != earliest[0]).any():
                raise OrderError
        first = int(earliest[0]) if node.size else 0
        found.append(first if (earliest == first).all() else earliest)
    return found


def _is_zero(level: Level) -> bool:
    return isinstance(level, int) and level == 0


def _reads(node: Node) -> Iterator[tuple[Node, Ints, Ints]]:
    """Operands with the places that are read, and the elements of the node that they are read for."""
    if node.kind == "call":
        for load in node.loads:
            places = np.asarray(load.address.table(), dtype=np.int64)
            yield load.node, places, np.zeros(len(places) if node.size else 0, dtype=np.int64)
        return
    for piece in node.pieces:
        read, stores = piece.load.address.table(), piece.store.table()
        yield piece.load.node, np.asarray(read, dtype=np.int64), np.asarray(stores, dtype=np.int64)
    rows = _rows(node)
    for load in node.loads:
        yield load.node, np.asarray(load.address.table(), dtype=np.int64), rows


def _rows(node: Node) -> Ints:
    """For each point of a map or a sum the element that it belongs to."""
    if node.kind == "sum":
        return np.repeat(np.arange(node.size, dtype=np.int64), np.diff(_bounds(node)))
    return np.arange(node.size, dtype=np.int64)


def _bounds(node: Node) -> Ints:
    """Where the points of each element of a sum begin."""
    if node.indptr is not None:
        return np.asarray(node.indptr, dtype=np.int64)
    points = int(np.prod(node.box, dtype=np.int64))
    return np.arange(node.size + 1, dtype=np.int64) * (points // max(node.size, 1))


class _Reordering:
    """Makes nodes in their new order; a node in several parts is put together where it is read across them."""

    def __init__(self, given: Program) -> None:
        self.given = given
        self.graph = Graph()
        self.builder = Builder(self.graph)
        self.whole: dict[int, Node] = {}
        self.parts: dict[int, list[tuple[Ints, Node]]] = {}

    def made(self, levels: list[Level], lumps: Ints) -> Program:
        """The Program in the new order."""
        given, graph = self.given, self.graph
        graph.site = NOWHERE
        inputs = [graph.input(size, active=k == 0) for k, size in enumerate(given.input_sizes)]
        constants = [graph.placeholder(size) for size in given.constant_sizes]
        slots = dict(zip(given.constants, constants, strict=True))
        sites = given.sites or (NOWHERE,) * len(given.nodes)
        for _, time, level in sorted(self._turns(levels, lumps)):
            node, own = given.nodes[time], levels[time]
            graph.site = sites[time]
            if node.kind in ("input", "constant"):
                self.whole[node.index] = inputs[node.slot] if node.kind == "input" else slots[node.slot]
            elif isinstance(own, int):
                self.whole[node.index] = self._like(node)
            else:
                elements = np.flatnonzero(own == level)
                self.parts.setdefault(node.index, []).append((elements, self._restricted(node, elements)))
        graph.site = NOWHERE
        decisions = [Decision(self._joined(d.node), d.expected, d.sites) for d in given.decisions]
        return program(graph, self._joined(given.output), decisions)

    def _turns(self, levels: list[Level], lumps: Ints) -> Iterator[tuple[tuple[int, int], int, int]]:
        """When each node, or each part of one, is made."""
        for time, level in enumerate(levels):
            for one in [level] if isinstance(level, int) else distinct_numbers(level).tolist():
                yield (int(lumps[time]), one), time, one

    def _like(self, node: Node) -> Node:
        """A node as it is, on operands that are whole."""
        operands = {load.node.index: self._joined(load.node) for load in node.operands()}
        return copy_of(self.graph, node, operands)

    def _restricted(self, node: Node, elements: Ints) -> Node:
        """Some elements of a node, in order."""
        count = len(elements)
        if node.primitive is not None:
            where = recognised(elements)
            loads = tuple(self._read(load, where) for load in node.loads)
            return self.graph.map(node.primitive, (count,), loads)
        if node.kind == "sum":
            bounds = _bounds(node)
            lengths = np.diff(bounds)[elements]
            indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            if not indptr[-1]:
                return self.builder.zeros(count)
            points = np.arange(int(indptr[-1])) + np.repeat(bounds[elements] - indptr[:-1], lengths)
            load = self._read(node.loads[0], recognised(points))
            return self.graph.sum((len(points),), load, 0, indptr)
        place = np.full(node.size, -1, dtype=np.int64)
        place[elements] = np.arange(count)
        pieces = []
        for piece in node.pieces:
            stores = place[piece.store.table()]
            points = np.flatnonzero(stores >= 0)
            if len(points):
                load = self._read(piece.load, recognised(points))
                pieces.append(Piece(recognised(stores[points]), load, piece.site))
        return self.graph.join(count, tuple(pieces))

    def _read(self, load: Load, where: Address) -> Load:
        """What a load reads at some points: from the one part that has it, if there is one."""
        address = composed(load.address, where)
        for elements, part in self.parts.get(load.node.index, ()):
            places = np.asarray(address.table(), dtype=np.int64)
            at = np.minimum(np.searchsorted(elements, places), len(elements) - 1)
            if (elements[at] == places).all():
                return Load(part, recognised(at.reshape(address.box)))
        return Load(self._joined(load.node), address)

    def _joined(self, node: Node) -> Node:
        """All of a node that is made so far."""
        if node.index in self.whole:
            return self.whole[node.index]
        pieces = tuple(
            Piece(recognised(elements), Load(part, contiguous((len(elements),))))
            for elements, part in self.parts[node.index]
        )
        return self.graph.join(node.size, pieces)
