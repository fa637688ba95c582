"""Maps are cut where the pieces of the vectors that they read begin and end, so that nothing is put together first.

A stencil on an array with a rim, or one that is summed up slice by slice, reads vectors put together from pieces. Over
its interior each operand lies within one piece, and so it does over each edge and corner: there the map reads what the
piece is made of, and the vector vanishes. Places without a piece are read as 0.0, from a join without pieces.

The rewriting changes no operation at any point and no order of operations, so that values stay what they were to the
last bit. It is a function of the Program alone, whose digest stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from kernels.address import Address, Affine, Table
from sparsejac.addressing import Box, composed, contiguous, covers, recognised
from sparsejac.boxes import (
    Overlap,
    Ranges,
    SplitError,
    UnalignedError,
    cells,
    contains,
    halved,
    lengths,
    merged,
    overlap,
    part_of,
    upright,
    within,
)
from sparsejac.location import NOWHERE, Site
from sparsejac.program import Decision, Graph, Load, Node, Piece, Program
from sparsejac.runs import affine_runs

MOST_PARTS = 32
"""Cells of a map, and pieces of a join that is read through."""

REPEATED = 8
"""Operations (see `Operation.weight`) for each element of a join that its readers may repeat."""

SMALL = 256
"""Points of cells that become one map with index tables even where they are not few beside the others."""

FEW = 16
"""Cells that have less than one in so many points of a map become one map with index tables."""

GROWTH = 2
ALLOWANCE = 256
"""Operations of all expressions may grow by this factor and this number: so much more there is to compile."""


def in_pieces(program: Program) -> Program:
    """The same Program with maps cut at the edges of pieces, and without the joins that nobody reads any more.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Program
        With the digest of the given one; `program` itself where there is nothing to gain.

    Examples
    --------
    >>> from sparsejac.tracing.run import run
    >>> def f(x):
    ...     y = 2.0 * x
    ...     y[1:] -= x[:-1]
    ...     return y * y
    >>> program = run(f, [np.ones(5)], 0).program
    >>> [node.kind for node in program.nodes], [node.kind for node in in_pieces(program).nodes].count("join")
    (['input', 'constant', 'map', 'map', 'join', 'map'], 1)
    """
    if not _has_pieces(program):
        return program
    made = _Rewriting(program)
    found = made.rewritten()
    if _code(found) > GROWTH * _code(program) + ALLOWANCE:
        found = _Rewriting(program, cut=False).rewritten()
    return found


def _has_pieces(program: Program) -> bool:
    """Whether anything reads a join, or by a table that could be a few affine runs."""
    return any(
        load.node.kind == "join" or (node.kind == "map" and _may_be_runs(load.address))
        for node in program.nodes
        for load in node.operands()
    )


def _may_be_runs(address: Address) -> bool:
    return isinstance(address, Table) and address.points > SMALL


def _code(program: Program) -> int:
    """Operations in all expressions, of which each stored node has one."""
    sizes: dict[int, int] = {}
    total = 0
    for node in program.nodes:
        own = [sizes[index] for index in {load.node.index for load in node.operands()}]
        sizes[node.index] = min(sum(own) + 1, ALLOWANCE) if node.kind == "map" else 0
        total += sum(own) if node.kind in ("sum", "join", "call") else 0
    return total + sizes[program.output.index]


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of a vector: upright places, and what stands there, over the same box."""

    store: Affine
    load: Load
    site: Site = NOWHERE


@dataclass(frozen=True, eq=False)
class _Choice:
    """What an operand is over a part of a box."""

    ranges: Ranges
    load: Load
    points: Overlap | None = None

    def over(self, cell: Ranges) -> Load:
        """The operand over a cell within the ranges."""
        if self.points is None:
            return Load(self.load.node, part_of(self.load.address, self.load.address.box, cell))
        return Load(self.load.node, composed(self.load.address, self.points.points(cell)))


@dataclass(frozen=True, eq=False)
class _Reading:
    """An operand over a box: choices that do not overlap; where there is none, 0.0 is read."""

    choices: tuple[_Choice, ...]

    def at(self, cell: Ranges) -> int:
        """Which choice a cell that was cut at all of them belongs to; -1 for 0.0."""
        return next((k for k, choice in enumerate(self.choices) if contains(choice.ranges, cell)), -1)


class _Rewriting:
    """Nodes are taken in their order: each becomes a node, or parts that are nodes, which the next ones read."""

    def __init__(self, program: Program, *, cut: bool = True) -> None:
        self.program = program
        self.cut = cut
        self.graph = Graph(1 + max(node.index for node in program.nodes))
        self.graph.site = NOWHERE
        self.zero = self.graph.join(1, ())
        self.known: dict[int, Node] = {}
        self.parts: dict[int, tuple[_Part, ...]] = {}
        # Nodes made by cutting, and those of them that stand for several cells, each a range of points.
        self.made: set[int] = set()
        self.gathered: dict[int, list[Address]] = {}
        self.work: dict[int, int] = {}
        self.whole = _read_whole(program)
        self.shifts = _addresses(program)

    def rewritten(self) -> Program:
        for node, site in zip(self.program.nodes, self.program.sites or [NOWHERE] * len(self.program.nodes), strict=True):
            self.graph.site = site
            if node.kind == "map" and node.size:
                self._map(node)
            elif node.kind == "join" and node.size:
                self._join(node)
            else:
                self._keep(node)
        return self._program()

    def _program(self) -> Program:
        """The nodes that results need, in the order in which they were made; each with its line of f."""
        old = self.program
        decisions = tuple(Decision(self.stored(d.node), d.expected, d.sites) for d in old.decisions)
        output = self.stored(old.output)
        aux = None if old.aux is None else self.stored(old.aux)
        sites = dict(zip((node.index for node in old.nodes), old.sites, strict=False))
        sites.update(zip((node.index for node in self.graph.nodes), self.graph.sites, strict=True))
        needed = {d.node.index: d.node for d in decisions} | {output.index: output}
        needed |= {} if aux is None else {aux.index: aux}
        # Inputs and constants are operands, whether they are needed or not.
        needed |= {node.index: node for node in old.nodes if node.kind in ("input", "constant")}
        for node in (*reversed(self.graph.nodes), *reversed(old.nodes)):
            if node.index in needed:
                needed.update((load.node.index, load.node) for load in node.operands())
        nodes = tuple(_ordered(needed))
        return replace(
            old,
            nodes=nodes,
            output=output,
            decisions=decisions,
            aux=aux,
            sites=tuple(sites[node.index] for node in nodes) if old.sites else (),
        )

    def stored(self, node: Node) -> Node:
        """The node that has all values of an old one."""
        found = self.known.get(node.index)
        if found is None:
            found = self.known[node.index] = self._joined(node)
        return found

    def _joined(self, node: Node) -> Node:
        """The parts of an old node put together; cells that one map computes are one piece."""
        parts = self.parts[node.index]
        pieces: list[Piece] = []
        by_node: dict[int, list[_Part]] = {}
        for part in parts:
            by_node.setdefault(part.load.node.index, []).append(part)
        for index, some in by_node.items():
            ranges = self.gathered.get(index, [])
            if len(ranges) > 1 and [p.load.address.key for p in some] == [r.key for r in ranges]:
                places = np.concatenate([part.store.table() for part in some])
                whole = contiguous((len(places),))
                pieces.append(Piece(recognised(places), Load(some[0].load.node, whole), some[0].site))
            else:
                pieces += [Piece(part.store, part.load, part.site) for part in some]
        pieces.sort(key=lambda piece: piece.store.points)
        if node.kind == "join" and [_keys(piece) for piece in pieces] == [_keys(piece) for piece in node.pieces]:
            return node
        return self.graph.join(node.size, tuple(pieces))

    def _keep(self, node: Node) -> None:
        """A node that is not cut, with new operands where they have become others."""
        if node.kind in ("input", "constant"):
            self.known[node.index] = node
            return
        loads = tuple(self._through(load) for load in node.loads)
        self.known[node.index] = self._like(node, node.box, loads)

    def _through(self, load: Load) -> Load:
        """What a load reads: a part, if it lies within one, or all of the vector."""
        parts = self.parts.get(load.node.index)
        if parts is not None and isinstance(load.address, Affine) and load.address.points:
            try:
                choices = self._choices(load, parts)
            except (UnalignedError, SplitError):
                choices = []
            full = tuple((0, n) for n in load.address.box)
            if len(choices) == 1 and choices[0].ranges == full:
                return choices[0].over(full)
        return Load(self.stored(load.node), load.address)

    def _like(self, node: Node, box: Box, loads: tuple[Load, ...]) -> Node:
        """A node that does the same with other operands."""
        if all(a.node is b.node and a.address is b.address for a, b in zip(loads, node.loads, strict=True)):
            return node
        if node.kind == "map":
            assert node.primitive is not None
            return self.graph.map(node.primitive, box, loads)
        if node.kind == "sum":
            return self.graph.sum(box, loads[0], node.reduced, node.indptr)
        assert node.routine is not None
        return self.graph.call(node.routine, node.size, loads)

    # Maps

    def _map(self, node: Node) -> None:
        if not self.cut or node.index in self.whole:
            self._keep(node)
            return
        box, loads, readings = self._aligned(node.box, node.loads)
        cut = cells(box, (choice.ranges for reading in readings for choice in reading.choices), MOST_PARTS)
        if cut is None:
            self._keep(node)
            return
        if len(cut) == 1:
            self.known[node.index] = self._like(node, box, tuple(_over(r, cut[0], self.zero) for r in readings))
            return
        sorts = merged([(cell, tuple(reading.at(cell) for reading in readings)) for cell in cut])
        self.parts[node.index] = self._cut(node, box, readings, [cell for cell, _ in sorts])

    def _cut(self, node: Node, box: Box, readings: Sequence[_Reading], cut: list[Ranges]) -> tuple[_Part, ...]:
        """A map for each group of cells whose operands are in the same nodes."""
        assert node.primitive is not None
        symmetric = bool(node.primitive.operation.symmetries)
        groups: dict[tuple[int, ...], list[tuple[Ranges, tuple[Load, ...]]]] = {}
        for cell in cut:
            loads = tuple(_over(reading, cell, self.zero) for reading in readings)
            if symmetric:
                loads = tuple(sorted(loads, key=lambda load: load.node.index))
            groups.setdefault(tuple(load.node.index for load in loads), []).append((cell, loads))
        parts: list[_Part] = []
        for group in groups.values():
            for some in _gathered(group, node.size):
                parts += self._map_of(node, box, some)
        return tuple(parts)

    def _map_of(self, node: Node, box: Box, some: list[tuple[Ranges, tuple[Load, ...]]]) -> Iterator[_Part]:
        """One map for some cells, in the order in which they are given."""
        assert node.primitive is not None
        over = lengths(some[0][0]) if len(some) == 1 else (sum(prod(lengths(cell)) for cell, _ in some),)
        loads = some[0][1]
        if len(some) > 1:
            columns = zip(*(loads for _, loads in some), strict=True)
            loads = tuple(Load(column[0].node, _end_to_end([load.address for load in column])) for column in columns)
        made = self.graph.map(node.primitive, over, loads)
        self.made.add(made.index)
        own: list[Address] = []
        for cell, _ in some:
            size = lengths(cell)
            start = sum(address.points for address in own)
            own.append(Affine(size, start, contiguous(size).strides))
            found = upright(within(box, cell))
            assert found is not None
            yield _Part(found[0], Load(made, composed(own[-1], found[1])))
        self.gathered[made.index] = [
            composed(address, upright(within(box, cell))[1]) for address, (cell, _) in zip(own, some, strict=True)
        ]

    def _aligned(self, box: Box, loads: Sequence[Load]) -> tuple[Box, Sequence[Load], list[_Reading]]:
        """Readings of all operands, over a box with as many dimensions as they need."""
        kept: set[int] = set()
        while True:
            try:
                return box, loads, [self._reading(load, kept) for load in loads]
            except SplitError as split:
                loads = [Load(load.node, halved(load.address, split)) for load in loads]
                box = loads[0].address.box

    def _reading(self, load: Load, kept: set[int]) -> _Reading:
        full = tuple((0, n) for n in load.address.box)
        parts = self.parts.get(load.node.index)
        if parts is not None and load.node.index not in kept and isinstance(load.address, Affine):
            try:
                return _Reading(tuple(self._choices(load, parts)))
            except UnalignedError:
                pass
        whole = Load(self.stored(load.node), load.address)
        if parts is None and _may_be_runs(load.address):
            assert isinstance(load.address, Table)
            runs = affine_runs(load.address, MOST_PARTS)
            if runs is not None:
                return _Reading(
                    tuple(
                        _Choice(cell, Load(whole.node, address), Overlap(cell, 0, ())) for cell, address in runs
                    )
                )
        return _Reading((_Choice(full, whole),))

    def _choices(self, load: Load, parts: Iterable[_Part]) -> list[_Choice]:
        assert isinstance(load.address, Affine)
        found = []
        for part in parts:
            points = overlap(load.address, part.store)
            if points is not None:
                found.append(_Choice(points.ranges, part.load, points))
        return found

    # Joins

    def _join(self, node: Node) -> None:
        """Not implemented."""
