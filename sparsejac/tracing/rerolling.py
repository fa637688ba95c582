"""Rows of the tape re-rolled into vector nodes.

Rows of one level of dependency, one place in the user's code, one operation and operands from the same sources become
one elementwise node whose addresses say which operands belong together. Ten thousand turns of a loop thus become the
few nodes that the vectorised statement would have given.

Larsen & Amarasinghe, Exploiting superword level parallelism with multimedia instruction sets, PLDI 2000, pack
isomorphic statements in the same spirit.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine
from kernels.distinct import distinct_numbers
from sparsejac.location import Site
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import contiguous, reboxed, recognised
from sparsejac.programs.program import Graph, Load, Node, Piece
from sparsejac.tracing.segment import CHAIN, Segment, carried_first
from sparsejac.tracing.tape import ARITIES, CONSTANT, ELEMENT, NAMES

Ints = npt.NDArray[np.int64]

ABSORBED = -4
"""In the place of a node: a row that is an inner term of a long sum."""

_FEW = 16
_DEEP = 32
"""Levels from which single constants of a segment are put into one vector: a deep chain has nothing but these."""


class Rerolling:
    """Which node holds each row of a tape, and at which place of it.

    Parameters
    ----------
    graph : Graph
        Where vector nodes are made.
    rows, depths, constants, sites
        Columns of the tape, which grow.
    constant_node : callable
        A node, the first place and the step (0 or 1) for a vector of constants.
    """

    def __init__(
        self,
        graph: Graph,
        rows: array[int],
        depths: array[int],
        constants: list[float],
        sites: list[Site],
        constant_node: Callable[[npt.NDArray[np.float64]], tuple[Node, int, int]],
    ) -> None:
        self._graph = graph
        self._rows, self._depths, self._constants, self._sites = rows, depths, constants, sites
        self._constant_node = constant_node
        self._rolled = 0
        # Where rolled rows went: node (or CONSTANT) and the place in it.
        self._node_of = np.empty(0, dtype=np.int64)
        self._place_of = np.empty(0, dtype=np.int64)
        # Terms of the sums that absorbed a row, for rows that someone asks for later all the same.
        self._absorbed: dict[int, Ints] = {}
        # The vector of all constants, with its first place and step, while a deep segment is rolled.
        self._pool: tuple[Node, int, int] | None = None

    def roll(self) -> None:
        """Turn the rows written since the last time into vector nodes."""
        start, stop = self._rolled, len(self._depths)
        if start == stop:
            return
        self._rolled = stop
        self._make_room(stop)
        if stop - start <= _FEW and self._roll_one_by_one(start, stop):
            return
        rows = np.array(self._rows[5 * start :], dtype=np.int64).reshape(-1, 5)
        depths = np.array(self._depths[start:], dtype=np.int64)
        code, first, second, third, site = (np.ascontiguousarray(column) for column in rows.T)
        first, second = carried_first(start, code, site, first, second)
        segment = Segment(start, code, site, (first, second, third), depths)
        self._place_leaves(segment)
        for operand in segment.operands:
            self._restore(operand[(segment.code >= 0) & (operand < start)])
        chains = segment.chains()
        for head, terms in chains.items():
            self._absorb(segment, head, terms)
        levels = segment.levels(chains)
        if len(levels) >= _DEEP and self._constants:
            self._pool = self._constant_node(np.array(self._constants))
        for rows in levels:
            self._roll_level(segment, rows, chains)
        self._pool = None

    def located(self, scalars: Ints) -> tuple[Ints, Ints]:
        """For each scalar the index of the node that holds it and its place there; constants become nodes."""
        self._restore(scalars)
        nodes, places = self._node_of[scalars], self._place_of[scalars]
        constant = nodes == CONSTANT
        if constant.any():
            node, start, step = self._constant_node(np.array([self._constants[p] for p in places[constant]]))
            nodes[constant] = node.index
            places[constant] = start + step * np.arange(int(constant.sum()))
        return nodes, places

    def place(self, scalar: int) -> tuple[Node, int]:
        """The node that holds a scalar and its place there; a constant becomes a node."""
        return self._place_of_one(scalar)

    def pieces(self, scalars: Ints, places: Ints) -> tuple[Piece, ...]:
        """Scalars to be put at `places` of a vector, as pieces of a join."""
        if len(scalars) == 1:
            node, place = self.place(int(scalars[0]))
            return (Piece(_single(int(places[0])), Load(node, _single(place))),)
        nodes, sources = self.located(scalars)
        order = np.lexsort((places, nodes))
        bounds = [0, *(np.flatnonzero(np.diff(nodes[order])) + 1), len(order)] if len(order) else [0]
        made = []
        for low, high in pairwise(bounds):
            rows = order[low:high]
            load = Load(self._graph.nodes[nodes[rows[0]]], recognised(sources[rows]))
            made.append(Piece(recognised(places[rows]), load))
        return tuple(made)

    def _make_room(self, count: int) -> None:
        """Lengthen the columns of places, by half at least: a loop may ask for vectors in each of its turns."""
        known = len(self._node_of)
        if count > known:
            more = max(count - known, known // 2)
            self._node_of = np.concatenate([self._node_of, np.full(more, ABSORBED, dtype=np.int64)])
            self._place_of = np.concatenate([self._place_of, np.zeros(more, dtype=np.int64)])

    def _roll_one_by_one(self, start: int, stop: int) -> bool:
        """As `roll`, a node for each row, for a few rows where nothing can be grouped; False where it might be."""
        rows = [self._rows[5 * row : 5 * row + 5].tolist() for row in range(start, stop)]
        operations = [(code, site) for code, *_, site in rows if code >= 0]
        if len(set(operations)) < len(operations):
            return False
        for row, (code, *operands, site) in enumerate(rows, start):
            if code == ELEMENT:
                self._node_of[row], self._place_of[row], _ = operands
            elif code == CONSTANT:
                self._node_of[row], self._place_of[row] = CONSTANT, operands[0]
            else:
                self._roll_alone(row, code, operands, site)
        return True

    def _roll_alone(self, row: int, code: int, operands: Sequence[int], site: int) -> None:
        """A node for one row."""
        primitive = PRIMITIVES[NAMES[code]]
        before, self._graph.site = self._graph.site, self._sites[site]
        read = [self._place_of_one(operand) for operand in operands[: len(primitive.partials)]]
        loads = tuple([Load(node, _single(place)) for node, place in read])
        self._node_of[row] = self._graph.map(primitive, (1,), loads).index
        self._graph.site = before

    def _place_leaves(self, segment: Segment) -> None:
        first, second = segment.operands[:2]
        for code in (ELEMENT, CONSTANT):
            rows = np.flatnonzero(segment.code == code)
            self._node_of[segment.start + rows] = first[rows] if code == ELEMENT else CONSTANT
            self._place_of[segment.start + rows] = second[rows] if code == ELEMENT else first[rows]

    def _absorb(self, segment: Segment, head: int, terms: Ints) -> None:
        """Remember what the inner rows of a chain are, and make its last row a sum."""
        row = head
        for count in range(len(terms) - 1, 1, -1):
            row = int(segment.operands[0][row]) - segment.start
            self._absorbed[segment.start + row] = terms[:count]
        segment.code[head] = CHAIN

    def _restore(self, scalars: Ints) -> None:
        """Give rows that a sum absorbed a node of their own."""
        absorbed = scalars[self._node_of[scalars] == ABSORBED]
        for scalar in distinct_numbers(absorbed):
            self._place(np.array([scalar]), self._sums([self._absorbed[int(scalar)]]))

    def _roll_level(self, segment: Segment, rows: Ints, chains: dict[int, Ints]) -> None:
        """Group the rows of one level by operation, site and the sources of their operands."""
        if len(rows) == 1:
            row = int(rows[0])
            if segment.code[row] == CHAIN:
                self._roll_group(segment, rows, chains)
            else:
                operands = [int(column[row]) for column in segment.operands]
                self._roll_alone(segment.start + row, int(segment.code[row]), operands, int(segment.site[row]))
            return
        code = segment.code[rows]
        arity = np.where(code >= 0, ARITIES[code], 0)
        keys = [code, segment.site[rows]]
        for k, column in enumerate(segment.operands):
            used = k < arity
            keys.append(np.where(used, self._node_of[np.where(used, column[rows], 0)], 0))
        order = np.lexsort(keys[::-1])
        changes = np.zeros(len(rows) - 1, dtype=bool)
        for key in keys:
            changes |= np.diff(key[order]) != 0
        bounds = [0, *(np.flatnonzero(changes) + 1), len(rows)]
        for low, high in pairwise(bounds):
            self._roll_group(segment, rows[order[low:high]], chains)

    def _roll_group(self, segment: Segment, rows: Ints, chains: dict[int, Ints]) -> None:
        code = int(segment.code[rows[0]])
        before, self._graph.site = self._graph.site, self._sites[segment.site[rows[0]]]
        if code == CHAIN:
            node = self._sums([chains[int(row)] for row in rows])
        else:
            primitive = PRIMITIVES[NAMES[code]]
            loads = tuple(self._load(column[rows]) for column in segment.operands[: len(primitive.partials)])
            node = self._graph.map(primitive, (len(rows),), loads)
        self._graph.site = before
        self._place(segment.start + rows, node)

    def _sums(self, chains: list[Ints]) -> Node:
        """The sums of several lists of scalars, each in its order."""
        terms = np.concatenate(chains)
        nodes = self._node_of[terms]
        if (nodes == nodes[0]).all():
            load = self._load(terms)
        else:
            pieces = self.pieces(terms, np.arange(len(terms)))
            load = Load(self._graph.join(len(terms), pieces), contiguous((len(terms),)))
        lengths = {len(chain) for chain in chains}
        if len(lengths) == 1:
            box = (len(chains), lengths.pop())
            return self._graph.sum(box, Load(load.node, reboxed(load.address, box)), reduced=1)
        indptr = np.cumsum([0, *map(len, chains)], dtype=np.int64)
        return self._graph.sum((len(terms),), load, indptr=indptr)

    def _load(self, scalars: Ints) -> Load:
        """An operand whose scalars all come from one node (or are all constants)."""
        source = int(self._node_of[scalars[0]])
        places = self._place_of[scalars]
        if source == CONSTANT and self._pool is not None and len(scalars) == 1:
            node, start, step = self._pool
            return Load(node, _single(start + step * int(places[0])))
        if source == CONSTANT:
            node, start, step = self._constant_node(np.array([self._constants[p] for p in places]))
            return Load(node, Affine((len(scalars),), start, (step,)))
        address: Address = recognised(places)
        return Load(self._graph.nodes[source], address)

    def _place_of_one(self, scalar: int) -> tuple[Node, int]:
        source = int(self._node_of[scalar])
        if source == ABSORBED:
            self._restore(np.array([scalar]))
            source = int(self._node_of[scalar])
        place = int(self._place_of[scalar])
        if source == CONSTANT and self._pool is not None:
            node, start, step = self._pool
            return node, start + step * place
        if source == CONSTANT:
            node, place, _ = self._constant_node(np.array([self._constants[place]]))
            return node, place
        return self._graph.nodes[source], place

    def _place(self, rows: Ints, node: Node) -> None:
        self._node_of[rows] = node.index
        self._place_of[rows] = np.arange(len(rows))


def _single(place: int) -> Affine:
    return Affine((1,), place, (0,))
