"""From a Program to the terms of its Jacobian: one walk from the output back to x.

When a node is met, all that is wanted of it is known: *demands*, each the derivative of some rows, times what stands
between them and the node. A map turns a demand on itself into demands on what it reads, each with one more factor, a
partial derivative; sums and joins change points only. Demands on x are the terms of the Jacobian. Where they would
multiply without bound, the node becomes a *cut*: a vertex between x and the output, whose derivatives are terms of
their own, to be multiplied as matrices afterwards.

This is reverse elimination on the graph of scalars, written down once for all points of a box: Griewank and Walther,
Evaluating Derivatives, 2nd edition, 2008, section 9.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from math import gcd, prod

import numpy as np

from kernels.address import Address, Affine, Table, identity
from kernels.kernel import Kernel, lean
from kernels.records import dataclass, replace
from kernels.step import Access
from kernels.symbolic import take
from sparsejac.elimination.demands import SHORTEST, Demand, Factor, Frame, factors_over, frames, listed, loaded
from sparsejac.elimination.expression import CHEAP, TooLargeError, expand, is_short, weights
from sparsejac.patterns.pattern import index_dtype
from sparsejac.pieces.boxes import SplitError, UnalignedError, full, overlap, upright
from sparsejac.programs.addressing import (
    Box,
    broadcast,
    c_strides,
    composed,
    contiguous,
    covers,
    narrow,
    reboxed,
    recognised,
    table,
)
from sparsejac.programs.program import Load, Node
from sparsejac.schedules.fusion import Lowered
from sparsejac.schedules.partials import differentiable_loads, linearized

X = 0
OUTPUT = -1

MOST_DEMANDS = (32, 8)
"""A node with more of them is cut; the second number where the first one leads to too many terms."""

SMALL = 8
"""Size of the largest nodes of which a chain is one of numbers."""

MOST_WHOLE = (16, 256)
"""Demands on all of a small node, and of a larger one, after which it is cut, too: chains double them at each step."""

HEAVY = 160
"""Weight of factors that are stored before anything else is done with them."""

MOST_TERMS = 300
"""Terms, and stored factors, after which each node that has a buffer is cut."""

MOST_REPEATED = 4
"""Readings of each place of a node, up to which it may be computed again for each of them."""

GATHERED = 16
"""Weight up to which a node is computed again where it is read by a table: places in between are read all the same."""

STORED = 8
"""Weight of repeated work, for each partial derivative of each point, from which these are stored."""


@dataclass(frozen=True, eq=False)
class Term:
    """A product of factors at each point of a box, and the places of matrices to which they are added.

    Parameters
    ----------
    row_vertex, column_vertex : int
        `X`, `OUTPUT`, or the index of a cut node.
    rows, columns : Address
    factors : tuple of Factor
        1.0 if there are none.
    origin, within
        As of `Demand`.
    """

    row_vertex: int
    column_vertex: int
    rows: Address
    columns: Address
    factors: tuple[Factor, ...]
    origin: object = None
    within: Address | None = None

    @property
    def box(self) -> Box:
        """The points."""
        return self.rows.box

    def over(self, points: Address) -> Term:
        """The same at some of its points."""
        rows, columns = composed(self.rows, points), composed(self.columns, points)
        within = None if self.within is None else composed(self.within, points)
        return replace(self, rows=rows, columns=columns, factors=factors_over(self.factors, points), within=within)


@dataclass(frozen=True, eq=False)
class Stored:
    """Numbers computed once, at each point of a box, for terms to load.

    Parameters
    ----------
    buffer : int
        Where they are stored, in C order.
    box : tuple of int
    factors : tuple of Factor
        Their product is what is stored.
    """

    buffer: int
    box: Box
    factors: tuple[Factor, ...]


@dataclass(frozen=True, eq=False)
class Expanded:
    """Terms of local Jacobians, and what they load.

    Parameters
    ----------
    terms : tuple of Term
    stored : tuple of Stored
        In an order in which they can be computed.
    cuts : tuple of int
        Indices of the nodes that were cut, in the order of the program.
    """

    terms: tuple[Term, ...]
    stored: tuple[Stored, ...]
    cuts: tuple[int, ...]


def vertex_sizes(found: Expanded, lowered: Lowered) -> dict[int, int]:
    """Length of each vertex, x first, then the cuts, then the output."""
    program = lowered.program
    sizes = {node.index: node.size for node in program.nodes}
    return {X: program.input_sizes[0], **{cut: sizes[cut] for cut in found.cuts}, OUTPUT: program.output.size}


class _TooManyTermsError(Exception):
    """The walk was given up."""


def expanded(lowered: Lowered, first_buffer: int) -> Expanded:
    """The terms of the Jacobian of a Program.

    Parameters
    ----------
    lowered : Lowered
    first_buffer : int
        Number of the first buffer for stored numbers.
    """
    for most in MOST_DEMANDS:
        with suppress(_TooManyTermsError):
            return _Walk(lowered, first_buffer, most).run()
    return _Walk(lowered, first_buffer, 0).run()


class _Walk:
    def __init__(self, lowered: Lowered, first_buffer: int, most: int) -> None:
        self.lowered = lowered
        self.most = most
        self.cut_all = most == 0
        self.terms: list[Term] = []
        self.stored: list[Stored] = []
        self.cuts: list[int] = []
        self.demands: dict[int, list[Demand]] = {}
        self.temporaries = count(first_buffer)
        self.weights = weights(lowered.program.nodes, lowered.buffers)
        self.readers = Counter(
            k for node in lowered.program.nodes for k in {read.node.index for read in node.operands()}
        )

    def run(self) -> Expanded:
        """Visit all nodes from the output on."""
        program = self.lowered.program
        whole = identity(program.output.size)
        self.demand(program.output, Demand(OUTPUT, whole, (), whole))
        for node in reversed(program.nodes):
            demands = self.demands.pop(node.index, [])
            if demands:
                self.visit(node, demands)
        return Expanded(tuple(self.terms), tuple(self.stored), tuple(reversed(self.cuts)))

    def demand(self, node: Node, demand: Demand) -> None:
        """Ask for the derivative by a node."""
        if not node.active or prod(demand.box) == 0:
            return
        if len(self.terms) + len(self.stored) > MOST_TERMS and not self.cut_all:
            raise _TooManyTermsError
        self.demands.setdefault(node.index, []).append(demand)

    def visit(self, node: Node, demands: Sequence[Demand]) -> None:
        """Pass on what is wanted of a node."""
        if node.kind == "input":
            self.terms += [Term(d.vertex, X, d.rows, d.address, d.factors, d.origin, d.within) for d in demands]
            return
        if self.is_cut(node, demands):
            self.cuts.append(node.index)
            self.terms += [Term(d.vertex, node.index, d.rows, d.address, d.factors) for d in demands]
            whole = identity(node.size)
            demands = [Demand(node.index, whole, (), whole)]
        demands = [self.lightened(demand) for demand in demands]
        if node.kind == "map" or self.is_written_out(node):
            self.pass_map(node, demands)
        elif node.kind == "sum":
            for demand in demands:
                self.pass_sum(node, demand)
        else:
            for demand in demands:
                self.pass_join(node, demand)

    def is_cut(self, node: Node, demands: Sequence[Demand]) -> bool:
        """Whether a node becomes a vertex."""
        if node.index not in self.lowered.buffers:
            return False
        if all(covers(d.address, node.size) for d in demands):
            return len(demands) > MOST_WHOLE[node.size > SMALL]
        tabled = {id(d) if d.origin is None else d.origin for d in demands if isinstance(d.address, Table)}
        return sum(isinstance(d.address, Affine) for d in demands) + len(tabled) > self.most

    def is_written_out(self, node: Node) -> bool:
        """Whether a node is a short sum, to be treated as an expression."""
        return not self.cut_all and is_short(node)

    def is_load(self, load: Load) -> bool:
        """Whether an expression that meets a node loads it: what costs little is computed again."""
        node = load.node
        if node.index not in self.lowered.buffers:
            return False
        if not node.active or self.cut_all or load.address.points > MOST_REPEATED * node.size:
            return True
        cheap = CHEAP if isinstance(load.address, Affine) else GATHERED
        return self.weights.get(node.index, CHEAP + 1) > cheap

    def lightened(self, demand: Demand) -> Demand:
        """Store heavy factors."""
        return self.with_stored(demand) if demand.weight > HEAVY else demand

    def with_stored(self, demand: Demand) -> Demand:
        """The same with its factors stored."""
        return replace(demand, factors=(self.store(demand.factors, demand.box),))

    def store(self, factors: tuple[Factor, ...], box: Box) -> Factor:
        """Compute a product once for each point of a box."""
        self.stored.append(Stored(next(self.temporaries), box, factors))
        return loaded(self.stored[-1].buffer, contiguous(box))

    def pass_map(self, node: Node, demands: Sequence[Demand]) -> None:
        """Multiply by partial derivatives."""
        box = node.box if node.kind == "map" else node.box[: len(node.box) - node.reduced]
        found = frames(demands, box)
        asked = sum(frame.address.points * _spread(frame) for frame in found)
        if asked > node.size and self.store_partials(node, box, found, asked):
            return
        for frame in found:
            for part in _written_out(frame):
                for load, factor in self.partials(node, part.address):
                    for demand in part.demands:
                        self.demand(load.node, demand.times(() if factor is None else (factor,), load.address))

    def store_partials(self, node: Node, box: Box, found: Sequence[Frame], asked: int) -> bool:
        """Where points of a node are asked for several times: compute their partials once each, if that is dear."""
        partials = self.partials(node, contiguous(box))
        weight = sum(factor.weight for _, factor in partials if factor is not None)
        if weight * (asked - node.size) <= STORED * node.size * len(partials):
            return False
        for load, factor in partials:
            kept = factor if factor is None or not factor.weight else self.store((factor,), box)
            for frame in found:
                more = () if kept is None else (kept.over(frame.address),)
                address = composed(load.address, frame.address)
                for demand in frame.demands:
                    self.demand(load.node, demand.times(more, address))
        return True

    def partials(self, node: Node, address: Address) -> list[tuple[Load, Factor | None]]:
        """The nodes on which a node depends, each with a partial derivative; None stands for 1.0."""
        found = self.partials_by_shared(node, address) if isinstance(address, Table) else None
        if found is not None:
            return found
        try:
            kernel, loads = expand(node, address, self.is_load)
        except TooLargeError:
            kernel, loads = expand(node, address, lambda load: load.node.index in self.lowered.buffers)
        found = self.differentiated(kernel, loads)
        assert found is not None  # all loads are buffers
        return found

    def partials_by_shared(self, node: Node, address: Address) -> list[tuple[Load, Factor | None]] | None:
        """The same by nodes without a buffer that several others read, where demands on these meet; else None.

        Only where their values are not needed, and under tables: what is regular is best written out as a whole.
        """
        buffers = self.lowered.buffers

        def is_shared(load: Load) -> bool:
            read = load.node
            return read.kind == "map" and read.active and read.index not in buffers and self.readers[read.index] > 1

        try:
            kernel, loads = expand(node, address, lambda load: self.is_load(load) or is_shared(load))
        except TooLargeError:
            return None
        return self.differentiated(kernel, loads) if any(map(is_shared, loads)) else None

    def differentiated(self, kernel: Kernel, loads: Sequence[Load]) -> list[tuple[Load, Factor | None]] | None:
        """Partial derivatives of an expression; None where they need a number that no buffer holds."""
        rules = differentiable_loads(kernel)
        chosen = tuple(k for k, load in enumerate(loads) if load.node.active and k in rules)
        whole = linearized(kernel, chosen)
        derivative, kept = lean(replace(whole, outputs=whole.outputs[1:]))
        buffers = self.lowered.buffers
        if any(loads[k].node.index not in buffers for k in kept):
            return None
        accesses = tuple(Access(buffers[loads[k].node.index], loads[k].address) for k in kept)
        found: list[tuple[Load, Factor | None]] = []
        for k, output in zip(chosen, derivative.outputs, strict=True):
            literal = _literal(derivative, output)
            if literal != 0.0:
                found.append((loads[k], None if literal == 1.0 else Factor(derivative, accesses, output)))
        return found

    def pass_sum(self, node: Node, demand: Demand) -> None:
        """Go on at the points that are summed."""
        heavy = demand.weight > 2 and (node.indptr is not None or prod(node.box[len(node.box) - node.reduced :]) > 1)
        self.demand(node.loads[0].node, summed(node, self.with_stored(demand) if heavy else demand))

    def pass_join(self, node: Node, demand: Demand) -> None:
        """Go on at what the pieces read."""
        for read, part in joined(node, demand):
            self.demand(read, part)


def summed(node: Node, demand: Demand) -> Demand:
    """What a demand on sums asks of what is summed."""
    (load,) = node.loads
    if node.indptr is not None:
        return _summed_in_ranges(node, demand)
    added = node.box[len(node.box) - node.reduced :]
    to_row = _repeated(contiguous(demand.box), added)
    first = _repeated(composed(Affine((node.size,), 0, (prod(added),)), demand.address), added)
    if isinstance(first, Affine):
        point: Address = Affine(first.box, first.offset, (*first.strides[: len(demand.box)], *c_strides(added)))
    else:
        point = table(first.box, first.places.reshape(-1, prod(added)) + np.arange(prod(added)))
    return demand.over(to_row, composed(load.address, point))


def _summed_in_ranges(node: Node, demand: Demand) -> Demand:
    """The same row by row."""
    assert node.indptr is not None
    (load,) = node.loads
    indptr = np.asarray(node.indptr, index_dtype(load.address.points))
    if covers(demand.address, node.size) and (indptr[0], indptr[-1]) == (0, load.address.points):  # all, as they stand
        to_row = np.repeat(np.arange(node.size, dtype=indptr.dtype), np.diff(indptr))
        return demand.over(recognised(to_row, owned=True), reboxed(load.address, (load.address.points,)))
    places = narrow(demand.address)
    starts, lengths = indptr[places], indptr[places + 1] - indptr[places]
    to_row = np.repeat(np.arange(len(places)), lengths)
    offsets = np.cumsum(lengths) - lengths
    points = np.arange(len(to_row)) + np.repeat(starts - offsets, lengths)
    return demand.over(listed(to_row), composed(load.address, listed(points)))


def joined(node: Node, demand: Demand) -> Iterator[tuple[Node, Demand]]:
    """What a demand on a vector put together from pieces asks of what these read, as far as it depends on x."""
    pieces = [piece for piece in node.pieces if piece.load.node.active]
    if covers(demand.address, node.size):
        yield from ((piece.load.node, demand.over(piece.store, piece.load.address)) for piece in pieces)
        return
    places = None
    for piece in pieces:
        met = _met_by_steps(piece.store, demand.address)
        if met is None:
            places = narrow(demand.address) if places is None else places
            met = _met(piece.store, node.size, places)
        points, read = met
        if points.points:
            yield piece.load.node, demand.over(points, composed(piece.load.address, read))


def _met_by_steps(store: Address, places: Address) -> tuple[Address, Address] | None:
    """As `_met`, by index arithmetic; None where that does not tell."""
    if not (isinstance(store, Affine) and isinstance(places, Affine) and store.points and places.points):
        return None
    try:
        part, back = upright(store)
        found = overlap(places, part)
    except (UnalignedError, SplitError):
        return None
    if found is None:
        return identity(0), identity(0)
    ranges, read = found
    if len(places.box) != 1 and ranges != full(places.box):
        return None
    first, stop = ranges[0] if len(places.box) == 1 else (0, places.points)
    if first >= stop:
        return identity(0), identity(0)
    points = Affine((stop - first,), first, (1,))
    return points, composed(back, composed(read, points))


def _met(store: Address, size: int, places: np.ndarray) -> tuple[Address, Address]:
    """Which of some places of a vector a piece is stored to, and the point of the piece for each of these."""
    if isinstance(store, Affine) and covers(Affine(store.box, 0, store.strides), store.points):
        points = np.flatnonzero((places >= store.offset) & (places < store.offset + store.points))
        return listed(points), listed(places[points] - places.dtype.type(store.offset))
    inverse = np.full(size, -1, dtype=places.dtype)
    inverse[store.table()] = np.arange(store.points, dtype=places.dtype)
    met = take(inverse, places)
    points = np.flatnonzero(met >= 0)
    return listed(points), listed(met if len(points) == len(met) else met[points])


def _repeated(address: Address, box: Box) -> Address:
    """The same for each point of further dimensions."""
    return broadcast(reboxed(address, (*address.box, *(1,) * len(box))), (*address.box, *box))


def _spread(frame: Frame) -> int:
    """How often the points of a frame are met once its terms are written down row by row."""
    rows = list({d.rows.key: d.rows for d in frame.demands if isinstance(d.rows, Affine)}.values())
    return max([sum(_overlap(first, other) for other in rows) for first in rows], default=1)


def _overlap(first: Affine, other: Affine) -> bool:
    """Whether two maps with equal strides have places in common."""
    apart = abs(first.offset - other.offset)
    step, reach = gcd(*first.strides), sum(abs(s) * (n - 1) for n, s in zip(first.box, first.strides, strict=True))
    return first.strides == other.strides and apart <= reach and (apart == 0 or (step > 0 and apart % step == 0))


def _written_out(frame: Frame) -> list[Frame]:
    """A frame as several over fewer dimensions, where the last one is short."""
    box = frame.address.box
    if len(box) < 2 or not 1 < box[-1] <= SHORTEST or prod(box[:-1]) < SHORTEST:
        return [frame]
    strides = c_strides(box)[:-1]
    found = []
    for k in range(box[-1]):
        points = Affine(box[:-1], k, strides)
        demands = tuple(demand.over(points) for demand in frame.demands)
        found += _written_out(Frame(composed(frame.address, points), demands))
    return found


def _literal(kernel: Kernel, value: int) -> float | None:
    instruction = kernel.instructions[value - kernel.loads] if value >= kernel.loads else None
    return instruction.literal if instruction is not None and instruction.operation is None else None
