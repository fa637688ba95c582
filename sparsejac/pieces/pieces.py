"""Maps are cut where the pieces of the vectors that they read begin and end, so that nothing is put together first.

A stencil on an array with a rim, or one that is summed up slice by slice, reads vectors put together from pieces. Over
its interior each operand lies within one piece, and so it does over each edge and corner: there the map reads what the
piece is made of, and the vector vanishes. Places without a piece are read as 0.0, from a join without pieces.

The rewriting changes no operation at any point and no order of operations, so that values stay what they were to the
last bit. It is a function of the Program alone, whose digest stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kernels.address import Address, Affine, Table
from kernels.records import replace
from sparsejac.location import NOWHERE, Site
from sparsejac.pieces.boxes import (
    Ranges,
    SplitError,
    UnalignedError,
    cells,
    contains,
    full,
    halved,
    halved_store,
    inside,
    lengths,
    merged,
    overlap,
    upright,
    within,
)
from sparsejac.pieces.gathering import gathered
from sparsejac.pieces.readings import (
    MOST_PARTS,
    SMALL,
    Choice,
    Layout,
    Parts,
    Picks,
    Reading,
    choices_in,
    common_layout,
    number_at,
    picked,
    runs,
)
from sparsejac.pieces.sharing import Sharing, code_size, lasting
from sparsejac.programs.addressing import Box, composed, contiguous, covers, recognised
from sparsejac.programs.program import Decision, Graph, Load, Node, Piece, Program

TINY = 64
"""Joins below this size are read through where a reader lies within one piece, but nothing is cut for them."""

FEW = 16
"""Parts that are together less than one in so many points of a vector become one."""

GROWTH = 2
ALLOWANCE = 256
"""Operations of all expressions may grow by this factor and this number: so much more there is to compile."""


def in_pieces(program: Program, *, values_only: bool = False) -> Program:
    """The same Program with maps cut at the edges of pieces, and without the joins that nobody reads any more.

    Parameters
    ----------
    program : Program
    values_only : bool
        Whether nobody takes derivatives of it; see `Sharing`.

    Returns
    -------
    Program
        With the digest of the given one; `program` itself where there is nothing to gain.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac.tracing.run import run
    >>> def f(x):
    ...     y = 2.0 * x
    ...     y[1:] -= x[:-1]
    ...     return y * y
    >>> program = run(f, [np.ones(100)], 0).program
    >>> [node.size for node in program.nodes if node.kind == "map"]  # 2 x, the difference, the square
    [100, 99, 100]
    >>> [node.size for node in in_pieces(program).nodes if node.kind == "map"]
    [100, 99, 1, 99]
    """
    if not _has_pieces(program):
        return program
    cut = any(node.size >= TINY for node in program.nodes if node.kind in ("join", "map"))
    found = _Rewriting(program, cut=cut, values_only=values_only).rewritten()
    if cut and code_size(found) > GROWTH * code_size(program) + ALLOWANCE:
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


class _Rewriting:
    """Nodes are taken in their order: each becomes a node, or parts of nodes, which the later ones read."""

    def __init__(self, program: Program, *, cut: bool = True, values_only: bool = False) -> None:
        self.program = program
        self.sharing = Sharing(program, values_only=values_only)
        self.cut = cut
        self.graph = Graph(1 + max(node.index for node in program.nodes))
        self.graph.site = NOWHERE
        self.zero = self.graph.join(1, ())
        self.known: dict[int, Node] = {}
        self.layouts: dict[tuple[Affine, ...], Layout] = {}
        self.common: dict[object, tuple[Layout, Sequence[Picks]] | None] = {}
        self.parts: dict[int, Parts] = {}
        # Maps that stand in a stored join as they are: the join, and the places there.
        self.homes: dict[int, tuple[Node, Affine]] = {}

    def rewritten(self) -> Program:
        """The Program with new nodes."""
        sites = self.program.sites or (NOWHERE,) * len(self.program.nodes)
        for node, site in zip(self.program.nodes, sites, strict=True):
            self.graph.site = site
            if node.kind == "join" and 0 < len(node.pieces) <= MOST_PARTS and node.size:
                self._join(node)
            elif node.kind == "map" and node.size and self.cut and node.index not in self.sharing.whole:
                self._map(node)
            else:
                self._keep(node)
        return self._program()

    def _program(self) -> Program:
        """The nodes that results need, in the order in which they were made; each with its line of f."""
        old = self.program
        decisions = tuple(Decision(self.stored(d.node), d.expected, d.sites) for d in old.decisions)
        output = self.stored(old.output)
        aux = None if old.aux is None else self.stored(old.aux)
        candidates = [*old.nodes, *self.graph.nodes]
        sites = [*(old.sites or (NOWHERE,) * len(old.nodes)), *self.graph.sites]
        # Inputs and constants are operands, whether they are needed or not.
        needed = {node.index for node in old.nodes if node.kind in ("input", "constant")}
        needed |= {node.index for node in (output, aux, *(d.node for d in decisions)) if node is not None}
        for node in reversed(candidates):
            if node.index in needed:
                needed.update(load.node.index for load in node.operands())
        kept = [(node, site) for node, site in zip(candidates, sites, strict=True) if node.index in needed]
        nodes = tuple(node for node, _ in kept)
        return replace(
            old, nodes=nodes, output=output, decisions=decisions, aux=aux, sites=tuple(site for _, site in kept)
        )

    def stored(self, node: Node) -> Node:
        """The node that has all values of an old one."""
        found = self.known.get(node.index)
        if found is None:
            found = self.known[node.index] = self.graph.join(node.size, self._pieces(self.parts[node.index], node.size))
        return found

    def _pieces(self, parts: Parts, size: int) -> tuple[Piece, ...]:
        """Parts as pieces of a join; small ones of one form are one piece."""
        pieces = [Piece(*part, site) for part, site in zip(parts, parts.sites, strict=True)]
        return gathered(self.graph, pieces, max(SMALL, size // FEW))

    def _keep(self, node: Node) -> None:
        """A node that is not cut, with new operands where they have become others."""
        if node.kind in ("input", "constant"):
            self.known[node.index] = node
        elif node.kind == "join":
            loads = [self._through(piece.load) for piece in node.pieces]
            changed = any(a is not piece.load for a, piece in zip(loads, node.pieces, strict=True))
            pieces = tuple(replace(piece, load=load) for piece, load in zip(node.pieces, loads, strict=True))
            self.known[node.index] = self.graph.join(node.size, pieces) if changed else node
        else:
            self.known[node.index] = self._like(node, node.box, tuple(map(self._through, node.loads)))

    def _through(self, load: Load) -> Load:
        """What a load reads: a part, if it lies within one, or the whole vector."""
        load = self._moved(load)
        try:
            reading = self._reading(load)
        except SplitError:
            reading = ()
        whole = full(load.address.box)
        if len(reading) == 1 and reading[0].ranges == whole and reading[0].load.node is not load.node:
            return reading[0].over(whole)
        node = self.stored(load.node)
        return load if node is load.node else Load(node, load.address)

    def _like(self, node: Node, box: Box, loads: tuple[Load, ...]) -> Node:
        """A node that does the same with other operands."""
        if all(a.node is b.node and a.address.key == b.address.key for a, b in zip(loads, node.loads, strict=True)):
            return node
        if node.primitive is not None:
            return self.graph.plain_map(node.primitive, box, loads)
        if node.kind == "sum":
            return self.graph.sum(box, loads[0], node.reduced, node.indptr)
        assert node.routine is not None
        return self.graph.call(node.routine, node.size, loads)

    def _map(self, node: Node) -> None:
        loads = [self._moved(load) for load in node.loads]
        parts = self._part_by_part(node, loads)
        if parts is not None:
            self.parts[node.index] = parts
            return
        box, readings = self._aligned(node.box, loads)
        cut = cells(box, (choice.ranges for reading in readings for choice in reading), MOST_PARTS)
        if cut is None:
            self._keep(node)
        elif len(cut) == 1:
            self.known[node.index] = self._like(node, box, tuple(self._over(r, cut[0]) for r in readings))
        else:
            sorts = merged([(cell, tuple(number_at(reading, cell) for reading in readings)) for cell in cut])
            self.parts[node.index] = self._cut(node, box, readings, [cell for cell, _ in sorts])

    def _part_by_part(self, node: Node, loads: Sequence[Load]) -> Parts | None:
        """Parts like those of the operands, where all that have parts are read as they stand."""
        found = [self._readable(load.node) for load in loads]
        layouts = tuple({id(parts.layout): parts.layout for parts in found if parts is not None}.values())
        if not layouts or any(layout.points != node.size for layout in layouts):
            return None
        for parts, load in zip(found, loads, strict=True):
            same = load.node.size == node.size and covers(load.address, node.size)
            if isinstance(load.address, Table) or (parts is not None and not same):
                return None
        shared = self._common_layout(layouts, node.box)
        if shared is None:
            return None
        layout, picks = shared
        columns: list[Iterable[Load]] = []
        for load, parts in zip(loads, found, strict=True):
            if parts is not None:
                columns.append([picked(parts.loads[k], points) for k, points in picks[layouts.index(parts.layout)]])
            else:
                whole = self.stored(load.node)
                columns.append([Load(whole, address) for address in layout.over(load.address)])
        return self._maps(node, layout, zip(*columns, strict=True))

    def _common_layout(self, layouts: tuple[Layout, ...], box: Box) -> tuple[Layout, Sequence[Picks]] | None:
        key = (box, *map(id, layouts))
        if key not in self.common:
            found = common_layout(layouts, box)
            self.common[key] = None if found is None else (self._layout(found[0]), found[1])
        return self.common[key]

    def _layout(self, layout: Layout) -> Layout:
        """The one object for layouts that are equal."""
        return self.layouts.setdefault(layout.stores, layout)

    def _maps(self, node: Node, layout: Layout, rows: Iterable[tuple[Load, ...]]) -> Parts:
        """A map for each part."""
        assert node.primitive is not None
        made = [self.graph.plain_map(node.primitive, loads[0].address.box, loads) for loads in rows]
        loads = tuple(Load(one, contiguous(one.box)) for one in made)
        return Parts(layout, loads, (NOWHERE,) * len(loads))

    def _aligned(self, box: Box, loads: Sequence[Load]) -> tuple[Box, list[Reading]]:
        """Readings of all operands, over a box with as many dimensions as they need."""
        while True:
            try:
                return box, [self._reading(load) for load in loads]
            except SplitError as split:
                loads = [Load(load.node, halved(load.address, split)) for load in loads]
                box = loads[0].address.box

    def _over(self, reading: Reading, cell: Ranges) -> Load:
        number = number_at(reading, cell)
        return Load(self.zero, _still(lengths(cell))) if number < 0 else reading[number].over(cell)

    def _cut(self, node: Node, box: Box, readings: Sequence[Reading], cut: list[Ranges]) -> Parts:
        """A map for each cell."""
        stores, rows = [], []
        for cell in cut:
            places, points = upright(within(box, cell))
            stores.append(places)
            loads = [self._over(reading, cell) for reading in readings]
            if len(points.box) < len(box):
                loads = [Load(load.node, composed(load.address, points)) for load in loads]
            rows.append(tuple(loads))
        return self._maps(node, self._layout(Layout(stores)), rows)

    def _join(self, node: Node) -> None:
        """The parts of all pieces, without what later ones overwrite."""
        self._find_parts(node)
        if node.index in self.sharing.stored:
            for piece in lasting(node):
                made = piece.load.node
                if made.kind == "map" and isinstance(piece.store, Affine) and covers(piece.load.address, made.size):
                    self.homes.setdefault(made.index, (node, piece.store))

    def _moved(self, load: Load) -> Load:
        """What a load reads, where it is stored anyway."""
        home = self.homes.get(load.node.index)
        if home is None:
            return load
        node, store = home
        address = composed(store, load.address)
        return load if isinstance(address, Table) and isinstance(load.address, Affine) else Load(node, address)

    def _find_parts(self, node: Node) -> None:
        if node.index in self.sharing.vectors:
            self._keep(node)
            return
        if self._is_settled(node):
            self.known[node.index] = node
        try:
            found = self._as_it_stands(node) or list(self._parts_of_join(node))
        except UnalignedError:
            self._keep(node)
            return
        if isinstance(found, Parts):
            self.parts[node.index] = found
        elif len(found) > MOST_PARTS:
            self._keep(node)
        else:
            stores, loads, sites = zip(*found, strict=True) if found else ((), (), ())
            self.parts[node.index] = Parts(self._layout(Layout(stores)), loads, sites)

    def _is_settled(self, node: Node) -> bool:
        """Whether a join stays what it is."""
        return all(
            piece.load.node.index not in self.parts
            and self.stored(piece.load.node) is piece.load.node
            and isinstance(piece.store, Affine)
            for piece in node.pieces
        )

    def _as_it_stands(self, node: Node) -> Parts | None:
        """The parts of the one vector that the join is."""
        piece = node.pieces[0]
        whole = covers(piece.store, node.size) and covers(piece.load.address, piece.load.node.size)
        return self._readable(piece.load.node) if whole and len(node.pieces) == 1 else None

    def _parts_of_join(self, node: Node) -> Iterator[tuple[Affine, Load, Site]]:
        stores = [_affine(piece.store) for piece in node.pieces]
        for k, (piece, (store, points)) in enumerate(zip(node.pieces, stores, strict=True)):
            if not store.points:
                continue
            # Of active pieces no two overlap.
            over = [
                other
                for (other, _), later in zip(stores[k + 1 :], node.pieces[k + 1 :], strict=True)
                if other.points and not (piece.load.node.active and later.load.node.active)
            ]
            load = self._moved(Load(piece.load.node, _simplest(composed(piece.load.address, points))))
            for places, part in self._parts_of_piece(store, load, over):
                yield places, part, piece.site

    def _parts_of_piece(self, store: Affine, load: Load, over: Sequence[Affine]) -> Iterator[tuple[Affine, Load]]:
        """What a piece holds in places that are not written over."""
        while True:
            try:
                reading = self._reading(load)
                hidden = [found[0] for later in over if (found := overlap(store, later)) is not None]
                break
            except SplitError as split:
                store, load = halved_store(store, split), Load(load.node, halved(load.address, split))
        cut = cells(store.box, (*(choice.ranges for choice in reading), *hidden), MOST_PARTS)
        if cut is None:
            raise UnalignedError
        visible = [cell for cell in cut if not any(contains(ranges, cell) for ranges in hidden)]
        for cell, number in merged([(cell, number_at(reading, cell)) for cell in visible]):
            if number >= 0:
                places, points = upright(inside(store, cell))
                part = reading[number].over(cell)
                yield places, Load(part.node, composed(part.address, points))

    def _readable(self, node: Node) -> Parts | None:
        """The parts of a node that readers may read in its place."""
        return None if node.index in self.sharing.stored else self.parts.get(node.index)

    def _reading(self, load: Load) -> Reading:
        """What a load reads, part by part.

        Raises
        ------
        SplitError
        """
        parts = self._readable(load.node)
        known = runs(load.address)
        if parts is not None and known is not None:
            try:
                return tuple(choice for cell, run in known for choice in choices_in(cell, run, parts))
            except UnalignedError:
                pass
        node = self.stored(load.node)
        if known is None or parts is not None:
            return (Choice(full(load.address.box), Load(node, load.address), contiguous(load.address.box)),)
        whole = Load(node, contiguous((node.size,)))
        return tuple(Choice(cell, whole, run) for cell, run in known)


def _affine(store: Address) -> tuple[Affine, Affine]:
    """A store upright, and its points as points of the other.

    Raises
    ------
    UnalignedError
    """
    found = _simplest(store)
    if isinstance(found, Table):
        raise UnalignedError
    return upright(found)


def _simplest(address: Address) -> Address:
    return address if isinstance(address, Affine) else recognised(address.places.reshape(address.box))


def _still(box: Box) -> Affine:
    return Affine(box, 0, (0,) * len(box))
