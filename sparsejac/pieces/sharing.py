"""Which nodes are better stored once than computed where they are read, as far as a Program alone can tell."""

from __future__ import annotations

import numpy as np

from kernels.address import Table
from sparsejac.programs.addressing import covers
from sparsejac.programs.program import Load, Node, Piece, Program
from sparsejac.schedules.fusion import REPEATED_CHAIN

REPEATED = 8
"""Operations (see `Operation.weight`) for each element of a node that its readers may repeat."""

COMPUTED_TWICE = 32
"""Operations for each element from which on a vector is put together rather than have them done once more."""

LARGEST = 160
"""Operations that are counted of one expression: fusion cuts larger ones."""

_Places = frozenset[object]
"""Where an element of a node is read from: more than one place counts as two."""

_MANY: _Places = frozenset({0, 1})


class Sharing:
    """What the readers of each node mean for it.

    Parameters
    ----------
    program : Program
    values_only : bool
        Whether nobody takes derivatives of the Program: joins may then be vectors that loops hand on.

    Attributes
    ----------
    stored : set of int
        Joins that maps read at several shifts, and whose elements cost too much for each to compute them again; and
        maps that are stored for the same reason.
    whole : set of int
        Maps that are not to be cut: sums, calls or tables read them as a whole, or maps do at several shifts that all
        compute them again.
    vectors : set of int
        Joins that are read as they are: see `_beside_values`.
    """

    def __init__(self, program: Program, *, values_only: bool = False) -> None:
        self.stored: set[int] = set()
        self.whole: set[int] = set()
        self._work: dict[int, int] = {}
        self._places: dict[int, _Places] = {}
        shifts = _shifts(program)
        for node in program.nodes:
            self._measure(node)
            again = len(shifts.get(node.index, ())) - 1
            if self._work[node.index] and not self._may_be_repeated(node, again):
                self._keep(node, again)
        _mark_whole(program, self.stored, self.whole)
        self.vectors = _beside_values(program, self._work) if values_only else set[int]()

    def _may_be_repeated(self, node: Node, again: int) -> bool:
        if again <= 0:
            return True
        return len(self._places[node.index]) <= 1 and again * self._work[node.index] <= REPEATED

    def _keep(self, node: Node, again: int) -> None:
        if node.kind == "map" and again * self._work[node.index] <= REPEATED_CHAIN:
            self.whole.add(node.index)
        else:
            self.stored.add(node.index)
            self._work[node.index] = 0
            self._places[node.index] = frozenset({(node.index,)})

    def _measure(self, node: Node) -> None:
        """Operations for one element, and the places that these read."""
        operands = {load.node.index for load in node.operands()}
        own: _Places = frozenset({(node.index,)})
        work = 0
        if node.primitive is not None:
            work = node.primitive.operation.weight + sum(self._work[index] for index in operands)
            own = frozenset().union(*(self._read(load) for load in node.loads))
        elif node.kind == "join":
            work = max((self._work[index] for index in operands), default=0)
            own = max((own, *(self._places[index] for index in operands)), key=len)
            own = own if len(own) > 1 else frozenset({(node.index,)})
        self._work[node.index] = min(work, 2 * REPEATED_CHAIN)
        self._places[node.index] = own if len(own) <= 1 else _MANY

    def _read(self, load: Load) -> _Places:
        places = self._places[load.node.index]
        if load.node.kind == "constant":
            return frozenset()
        if places is _MANY or covers(load.address, load.node.size):
            return places
        return frozenset((*place, load.address.key) for place in places if isinstance(place, tuple))


def _shifts(program: Program) -> dict[int, set[object]]:
    """For each node the addresses under which maps read it."""
    found: dict[int, set[object]] = {}
    for node in program.nodes:
        if node.kind == "map":
            for load in node.loads:
                key = "all" if covers(load.address, load.node.size) else load.address.key
                found.setdefault(load.node.index, set()).add(key)
    return found


def _mark_whole(program: Program, stored: set[int], whole: set[int]) -> None:
    """Add the maps that are read as a whole, and the maps that those read."""
    for node in reversed(program.nodes):
        for load in node.operands():
            as_a_whole = node.kind in ("sum", "call") or node.index in whole or isinstance(load.address, Table)
            if as_a_whole and load.node.kind == "map" and load.node.index not in stored:
                whole.add(load.node.index)


def _beside_values(program: Program, work: dict[int, int]) -> set[int]:
    """Joins that a map reads beside values which cost much, and which others need at all points anyway.

    So cotangents meet the values of a flux: a map that was cut where the cotangents are put together would compute
    these values once more, part by part.
    """
    beyond: set[int] = set()
    for node in program.nodes:
        if (node.kind == "join" and node.pieces) or any(load.node.index in beyond for load in node.operands()):
            beyond.add(node.index)
    anyway = {node.index for node in (program.output, program.aux) if node is not None}
    anyway.update(load.node.index for node in program.nodes if node.index not in beyond for load in node.operands())
    heavy = {index for index in anyway - beyond if work[index] > COMPUTED_TWICE}
    return {
        load.node.index
        for node in program.nodes
        if node.kind == "map" and any(other.node.index in heavy for other in node.loads)
        for load in node.loads
        if load.node.kind == "join" and covers(load.address, load.node.size)
    }


def lasting(node: Node) -> list[Piece]:
    """The pieces of a join that no later one writes over."""
    if all(piece.load.node.active for piece in node.pieces):  # of these no two overlap
        return list(node.pieces)
    found, written = [], np.zeros(node.size, dtype=np.bool_)
    for piece in reversed(node.pieces):
        places = piece.store.table()
        if not written[places].any():
            found.append(piece)
        written[places] = True
    return found[::-1]


def code_size(program: Program) -> int:
    """Operations of all expressions that are stored or summed, those of equal operands counted once in each."""
    sizes: dict[int, int] = {}
    total = 0
    for node in program.nodes:
        own = [sizes[index] for index in {load.node.index for load in node.operands()}]
        sizes[node.index] = min(sum(own) + 1, LARGEST) if node.kind == "map" else 0
        total += sum(own) if node.kind in ("sum", "join", "call") else 0
    results = {decision.node.index for decision in program.decisions} | {program.output.index}
    return total + sum(sizes[index] for index in results)
