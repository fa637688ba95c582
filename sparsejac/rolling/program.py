"""Programs with loops: small maps that repeat themselves become maps over all turns.

A chain of scalars is thousands of maps of one point. Here those that are the same operation in each turn of a loop
become one map over the turns. Where a turn needs an earlier one, its results are put into a vector that holds those of
earlier turns too, first of all what was there before the loop, and are read from there. No operation changes, and none
of those that wait for each other changes places: values stay what they were to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

import numpy as np

from kernels.address import Address, Affine
from kernels.distinct import count_distinct, distinct_numbers
from kernels.records import dataclass
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import contiguous, recognised, table
from sparsejac.programs.program import Decision, Load, Node, Piece, Program
from sparsejac.rolling.blocks import Block, blocks_of, distances
from sparsejac.rolling.columns import Columns, Ints, columns_of
from sparsejac.rolling.turns import LEAST_MAPS, Turns, find_turns, later

_FEW_PIECES = 8


@dataclass(frozen=True, eq=False)
class Rolled:
    """A Program whose loops are maps over turns.

    Parameters
    ----------
    program : Program
        With the digest of the given one.
    homes : mapping
        For maps, by index, the vector that they are stored in, and the place of the first number there. Nobody reads
        such a map; the vector is a join of what is there before the loop.
    loops : mapping
        For maps that run turn by turn, by index, the number of their loop, from 1 on.
    """

    program: Program
    homes: Mapping[int, tuple[Node, int]] = field(default_factory=dict)
    loops: Mapping[int, int] = field(default_factory=dict)


def rolled(program: Program) -> Rolled:
    """Find the loops of a Program.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Rolled

    Examples
    --------
    >>> from sparsejac.tracing.run import run
    >>> def f(x):
    ...     s = x[0]
    ...     for i in range(1, 200):
    ...         s = s + x[i] * np.sin(s)
    ...     return s
    >>> program = run(f, [np.ones(200)], 0).program
    >>> len(program.nodes), len(rolled(program).program.nodes)
    (598, 9)
    """
    columns = columns_of(program)
    if len(columns.nodes) < LEAST_MAPS:
        return Rolled(program)
    found: list[Turns] = find_turns(columns)
    while found:
        found.sort(key=lambda turns: turns.start)
        rewriting = _Rewriting(program, columns, found)
        try:
            return rewriting.rolled()
        except _TangledError as error:
            others = [turns for turns in found if turns is not error.turns]
            found = others if error.instead is None else [*others, error.instead]
    return Rolled(program)


class _TangledError(Exception):
    """What a loop reads needs the loop, or does not stand where its turns would have put it."""

    def __init__(self, turns: Turns, instead: Turns | None = None) -> None:
        super().__init__()
        self.turns = turns
        self.instead = instead


@dataclass(frozen=True, eq=False)
class _Column:
    """Where the results of one map of all turns are: turn t at ``first + t * size`` of a node."""

    node: Node
    first: int
    size: int
    start: int
    period: int

    def place(self, position: int) -> int:
        """The first place of the map at a position."""
        return self.first + (position - self.start) // self.period * self.size


class _Rewriting:
    def __init__(self, program: Program, columns: Columns, found: Sequence[Turns]) -> None:
        self.program = program
        self.columns = columns
        self.found = found
        self.positions = {node.index: position for position, node in enumerate(columns.nodes)}
        self.loop_of = np.full(len(columns.nodes), -1, dtype=np.int64)
        for number, turns in enumerate(found):
            self.loop_of[turns.start : turns.stop] = number
        self.made: dict[int, Node] = {}
        self.column_of: dict[tuple[int, int], _Column] = {}
        self.done: set[int] = set()
        self.nodes: list[Node] = []
        self.homes: dict[int, tuple[Node, int]] = {}
        self.loops: dict[int, int] = {}
        self.next_index = 1 + max(node.index for node in program.nodes)

    def rolled(self) -> Rolled:
        """The Program, rewritten.

        Raises
        ------
        _TangledError
        """
        # What stands between the turns of a loop and reads it follows behind the loop.
        late: list[Node] = []
        waiting: set[int] = set()
        for node in self.program.nodes:
            number = self._loop(node)
            if number >= 0:
                turns = self.found[number]
                if self.positions[node.index] == turns.stop - 1:
                    self._roll(number, turns, waiting)
                    for other in late:
                        self._keep(other)
                    late, waiting = [], set()
            elif any(load.node.index in waiting or self._is_ahead(load.node) for load in node.operands()):
                late.append(node)
                waiting.add(node.index)
            else:
                self._keep(node)
        return Rolled(self._program(), self.homes, self.loops)

    def _program(self) -> Program:
        old = self.program
        output = self._whole(old.output)
        decisions = tuple(Decision(self._whole(d.node), d.expected, d.sites) for d in old.decisions)
        aux = None if old.aux is None else self._whole(old.aux)
        return replace(old, nodes=tuple(self.nodes), output=output, decisions=decisions, aux=aux, sites=())

    def _loop(self, node: Node) -> int:
        """Which loop a node is a part of; -1 if of none."""
        position = self.positions.get(node.index)
        return -1 if position is None else int(self.loop_of[position])

    def _is_ahead(self, node: Node) -> bool:
        """Whether a node is a part of a loop that does not stand here yet."""
        number = self._loop(node)
        return number >= 0 and number not in self.done

    def _add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def _new(self, kind: str, size: int, **fields: object) -> Node:
        self.next_index += 1
        return self._add(Node(self.next_index - 1, kind, size, **fields))  # type: ignore[arg-type]

    def _whole(self, node: Node) -> Node:
        """A node of its own that holds what the given one does."""
        if node.index in self.made:
            return self.made[node.index]
        load = self._moved(Load(node, contiguous((node.size,))))
        copy = PRIMITIVES["copy"]
        found = self._new("map", node.size, box=(node.size,), loads=(load,), primitive=copy, active=node.active)
        self.made[node.index] = found
        return found

    def _keep(self, node: Node) -> None:
        """Take over what is no part of a loop."""
        loads = tuple([self._moved(load) for load in node.loads])
        pieces = self._pieces(node)
        same = all(a is b for a, b in zip(loads, node.loads, strict=True)) and pieces is node.pieces
        self.made[node.index] = self._add(node if same else replace(node, loads=loads, pieces=pieces))

    def _moved(self, load: Load) -> Load:
        """What an operand from outside is now."""
        number = self._loop(load.node)
        if number < 0:
            found = self.made[load.node.index]
            return load if found is load.node else Load(found, load.address)
        column = self._column(number, load.node)
        return Load(column.node, _shifted(load.address, column.place(self.positions[load.node.index])))

    def _column(self, number: int, node: Node) -> _Column:
        turns = self.found[number]
        return self.column_of[number, (self.positions[node.index] - turns.start) % turns.period]

    def _pieces(self, node: Node) -> tuple[Piece, ...]:
        """The pieces of a join, those from one column together."""
        if not any(self._loop(piece.load.node) >= 0 for piece in node.pieces):
            unchanged = all(self.made[piece.load.node.index] is piece.load.node for piece in node.pieces)
            return node.pieces if unchanged else tuple(replace(p, load=self._moved(p.load)) for p in node.pieces)
        moved = [replace(piece, load=self._moved(piece.load)) for piece in node.pieces]
        return _together(moved) if len(moved) > _FEW_PIECES else tuple(moved)

    def _roll(self, number: int, turns: Turns, waiting: set[int]) -> None:
        """Put the maps of a loop in the place of its last one."""
        columns = self.columns
        sources = columns.sources[turns.start : turns.stop]
        if waiting and not waiting.isdisjoint(distinct_numbers(sources).tolist()):
            raise _TangledError(turns)
        back = distances(columns, turns)
        makers = (columns.positions[turns.start : turns.start + turns.period] - turns.start) % turns.period
        longest = np.zeros(turns.period, dtype=np.int64)
        np.maximum.at(longest, makers[turns.inside], back[turns.inside])
        if any(not self._has_history(turns, j, int(d)) for j, d in enumerate(longest) if d):
            raise _TangledError(turns, later(turns, int(longest.max())))
        for block in blocks_of(columns, turns):
            self._roll_block(number, turns, block, longest, back)
        self.done.add(number)

    def _has_history(self, turns: Turns, j: int, longest: int) -> bool:
        """Whether what stands in the places of turns before the first one is as large as what stands in these."""
        nodes = self.columns.nodes
        places = [turns.start + j - d * turns.period for d in range(1, longest + 1)]
        return all(place >= 0 and nodes[place].size == nodes[turns.start + j].size for place in places)

    def _roll_block(self, number: int, turns: Turns, block: Block, longest: Ints, back: Ints) -> None:
        nodes = self.columns.nodes
        for j in block.maps:
            if longest[j]:
                self._begin(number, turns, j, int(longest[j]))
        loop = 1 + max(self.loops.values(), default=0)
        for j in block.maps:
            old = nodes[turns.start + j]
            loads = tuple([self._rolled_load(number, turns, j, k, int(back[j, k])) for k in range(len(old.loads))])
            active = any(nodes[turns.start + t * turns.period + j].active for t in range(turns.count))
            size, box = turns.count * old.size, (turns.count, *old.box)
            made = self._new("map", size, box=box, loads=loads, primitive=old.primitive, active=active)
            if block.sequential:
                self.loops[made.index] = loop
            if longest[j]:
                column = self.column_of[number, j]
                self.homes[made.index] = column.node, column.first
            else:
                self.column_of[number, j] = _Column(made, 0, old.size, turns.start, turns.period)

    def _begin(self, number: int, turns: Turns, j: int, longest: int) -> None:
        """Make the vector of all results of a map: those of the turns before the first one stand there at once."""
        nodes = self.columns.nodes
        old = nodes[turns.start + j]
        pieces = []
        for back in range(longest, 0, -1):
            load = self._moved(Load(nodes[turns.start + j - back * turns.period], contiguous((old.size,))))
            pieces.append(Piece(Affine((old.size,), (longest - back) * old.size, (1,)), load))
        active = any(nodes[turns.start + t * turns.period + j].active for t in range(-longest, turns.count))
        size = (longest + turns.count) * old.size
        made = self._new("join", size, pieces=_together(pieces), active=active)
        self.column_of[number, j] = _Column(made, longest * old.size, old.size, turns.start, turns.period)

    def _rolled_load(self, number: int, turns: Turns, j: int, k: int, back: int) -> Load:
        """What operand k of map j reads in all turns."""
        columns, count = self.columns, turns.count
        first = turns.start + j
        rows = slice(first, turns.stop, turns.period)
        inner = columns.known[columns.addresses[first, k]]
        if back >= 0:
            column = self.column_of[number, (columns.positions[first, k] - turns.start) % turns.period]
            start = column.first - back * column.size
            return Load(column.node, _spread(inner, start + np.arange(count, dtype=np.int64) * column.size))
        sources, numbers = columns.sources[rows, k], columns.addresses[rows, k]
        origin = self._origin(number, turns, rows, k)
        if origin >= 0:
            column = self._column(origin, columns.nodes[columns.positions[first, k]])
            starts = column.first + (columns.positions[rows, k] - column.start) // column.period * column.size
            node = column.node
        else:
            node = self.made[int(sources[0])]
            starts = np.zeros(count, dtype=np.int64)
        if (numbers == numbers[0]).all():
            return Load(node, _spread(inner, starts))
        return Load(node, _several([columns.known[n] for n in numbers.tolist()], starts))

    def _origin(self, number: int, turns: Turns, rows: slice, k: int) -> int:
        """The loop of which an operand is one column; -1 if it is one node that is part of none.

        Raises
        ------
        _TangledError
            Where only later turns read one column: the loop that it comes from has lost turns since it was found.
        """
        positions, sources = self.columns.positions[rows, k], self.columns.sources[rows, k]
        loops = np.where(positions >= 0, self.loop_of[positions], -1)
        origin = int(loops[-1])
        alike = loops == origin
        if origin < 0:
            alike &= sources == sources[-1]
        else:
            alike &= (positions - positions[-1]) % self.found[origin].period == 0
        if origin == number:  # one turn's result for all of them: it has to stand before the loop
            raise _TangledError(turns, later(turns, 1))
        if not alike.all():
            raise _TangledError(turns, later(turns, 1 + int(np.flatnonzero(~alike)[-1])))
        return origin


def _shifted(address: Address, first: int) -> Address:
    if isinstance(address, Affine):
        return Affine(address.box, address.offset + first, address.strides)
    return recognised((address.places.astype(np.int64) + first).reshape(address.box))


def _spread(inner: Address, starts: Ints) -> Address:
    """An address over turns: the same in each, from other places on."""
    box = (len(starts), *inner.box)
    step = int(starts[1] - starts[0])
    if isinstance(inner, Affine) and (np.diff(starts) == step).all():
        return Affine(box, inner.offset + int(starts[0]), (step, *inner.strides))
    places = starts[:, None] + np.asarray(inner.table(), dtype=np.int64)[None, :]
    return table(box, places.reshape(box))


def _several(addresses: Sequence[Address], starts: Ints) -> Address:
    """An address over turns that is another one in each."""
    box = (len(starts), *addresses[0].box)
    if all(isinstance(a, Affine) and a.strides == addresses[0].strides for a in addresses):  # type: ignore[union-attr]
        offsets = np.array([a.offset for a in addresses], dtype=np.int64)  # type: ignore[union-attr]
        return _spread(Affine(addresses[0].box, 0, addresses[0].strides), starts + offsets)  # type: ignore[union-attr]
    places = np.stack(
        [np.asarray(a.table(), dtype=np.int64) + start for a, start in zip(addresses, starts, strict=True)]
    )
    return recognised(places.reshape(box))


def _together(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces of a join, those that read one node as one; unchanged where some lie over others."""
    if len(pieces) < 2:
        return tuple(pieces)
    stored = [np.asarray(piece.store.table(), dtype=np.int64) for piece in pieces]
    places = np.concatenate(stored)
    if count_distinct(places) < len(places):
        return tuple(pieces)
    groups: dict[int, list[int]] = {}
    for number, piece in enumerate(pieces):
        groups.setdefault(piece.load.node.index, []).append(number)
    found = []
    for group in groups.values():
        if len(group) == 1:
            found.append(pieces[group[0]])
            continue
        to = np.concatenate([stored[k] for k in group])
        read = np.concatenate([np.asarray(pieces[k].load.address.table(), dtype=np.int64) for k in group])
        order = np.argsort(to, kind="stable")
        load = Load(pieces[group[0]].load.node, recognised(read[order]))
        found.append(Piece(recognised(to[order]), load, pieces[group[0]].site))
    return tuple(found)
