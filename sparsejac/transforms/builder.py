"""Where transformed nodes are made: maps on addresses, literals made once, Programs copied into another graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Table
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import c_strides, composed, contiguous, reboxed, recognised, reshaped_strides, table
from sparsejac.programs.program import Graph, Load, Node, Piece, Program

Box = tuple[int, ...]
Mask = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Builder:
    """Makes nodes of derivatives in a graph.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    totals : set of int
        Nodes that are sums of a total and one more term; see `sparsejac.transforms.totals`.
    """

    graph: Graph
    totals: set[int] = field(default_factory=set)
    _literals: dict[str, Node] = field(default_factory=dict)
    _numbers: dict[int, float] = field(default_factory=dict)
    _masks: dict[bytes, Node] = field(default_factory=dict)
    _marks: dict[int, Mask] = field(default_factory=dict)
    _arrays: dict[bytes, Node] = field(default_factory=dict)

    def numbers(self, values: npt.NDArray[np.float64]) -> Load:
        """Constants, made once for equal numbers."""
        if len(values) == 1:
            return self.number(float(values[0]), (1,))
        key = values.tobytes()
        if key not in self._arrays:
            self._arrays[key] = self.graph.constant(values)
        return Load(self._arrays[key], contiguous((len(values),)))

    def number(self, value: float, box: Box) -> Load:
        """A literal, read at each point of a box."""
        key = float(value).hex()
        if key not in self._literals:
            node = self._literals[key] = self.graph.constant(np.array([float(value)]))
            self._numbers[node.index] = float(value)
        return Load(self._literals[key], Affine(box, 0, (0,) * len(box)))

    def literal(self, load: Load) -> float | None:
        """The number, if a load reads a literal."""
        return self._numbers.get(load.node.index)

    def mask(self, marks: Mask) -> Load:
        """A constant vector of 0.0 and 1.0, made once."""
        key = marks.tobytes()
        if key not in self._masks:
            node = self._masks[key] = self.graph.constant(marks.astype(np.float64))
            self._marks[node.index] = marks
        return Load(self._masks[key], contiguous((len(marks),)))

    def marks(self, load: Load) -> Mask | None:
        """Where a load reads a number that is not 0.0, in the order of its box, if that is known."""
        marks = self._marks.get(load.node.index)
        return None if marks is None else marks[load.address.table()]

    def either(self, box: Box, a: Load, b: Load) -> Load | None:
        """Where one of two guards holds; None for everywhere."""
        p, q = self.marks(a), self.marks(b)
        if p is None or q is None:
            return self.map("logical_or", box, a, b)
        both = p | q
        return None if both.all() else self.on_box(self.mask(both), box)

    def map(self, name: str, box: Box, *loads: Load) -> Load:
        """A primitive at each point of a box; once for all points along a dimension in which no operand moves."""
        if any(_moves_everywhere(load.address) for load in loads):
            return Load(self.graph.map(PRIMITIVES[name], box, loads), contiguous(box))
        moving = [d for d, n in enumerate(box) if n <= 1 or any(_moves(load.address, d) for load in loads)]
        if len(moving) == len(box):
            return Load(self.graph.map(PRIMITIVES[name], box, loads), contiguous(box))
        small = tuple(box[d] for d in moving)
        made = self.graph.map(PRIMITIVES[name], small, tuple(_thinned(load, small, moving) for load in loads))
        strides = dict(zip(moving, c_strides(small), strict=True))
        return Load(made, Affine(box, 0, tuple(strides.get(d, 0) for d in range(len(box)))))

    def times(self, box: Box, a: Load, b: Load) -> Load:
        """A product, without factors of 1 and -1; the sign of the first factor becomes that of the product."""
        p, q = self.literal(a), self.literal(b)
        if p is not None and q is not None:
            return self.number(p * q, box)
        for known, other in ((p, b), (q, a)):
            if known == 1.0:
                return other
            if known == -1.0:
                return self.negative(box, other)
        turned = self.turned(a)
        return self.map("multiply", box, a, b) if turned is None else self.negative(box, self.times(box, turned, b))

    def plus(self, box: Box, a: Load, b: Load) -> Load:
        """A sum; what is added with a minus sign is subtracted."""
        p, q = self.turned(a), self.turned(b)
        if p is not None and q is not None:
            return self.negative(box, self.map("add", box, p, q))
        if p is not None:
            return self.map("subtract", box, b, p)
        return self.map("add", box, a, b) if q is None else self.map("subtract", box, a, q)

    @staticmethod
    def turned(load: Load) -> Load | None:
        """What a load reads the negative of, if it does."""
        node = load.node
        return read(node.loads[0], load.address) if node.primitive is PRIMITIVES["negative"] else None

    def negative(self, box: Box, a: Load) -> Load:
        """The negative of what is read."""
        known = self.literal(a)
        if known is not None:
            return self.number(-known, box)
        return self.turned(a) or self.map("negative", box, a)

    def masked(self, box: Box, guard: Load, a: Load) -> Load:
        """What is read where a guard holds; elsewhere zero, whatever is read there."""
        return self.map("select", box, guard, a, self.number(0.0, box))

    def on_box(self, load: Load, box: Box) -> Load:
        """The same numbers in the same order over another box, without a table of places where there was none."""
        marks = self.marks(load)
        if marks is not None and marks.size:
            return self._thin(marks.reshape(box))
        address = load.address
        if address.box == box:
            return load
        if isinstance(address, Affine) and reshaped_strides(address, box) is None:
            load = Load(self.owned(address.box, load), contiguous(address.box))
        return Load(load.node, reboxed(load.address, box))

    def _thin(self, marks: Mask) -> Load:
        """A mask over a box: one number for all points along a dimension in which it does not change."""
        box = marks.shape
        moving = [d for d in range(len(box)) if (marks.any(d) != marks.all(d)).any()]
        thin = marks[tuple(slice(None) if d in moving else slice(1) for d in range(len(box)))]
        strides = dict(zip(moving, c_strides(tuple(box[d] for d in moving)), strict=True))
        return Load(self.mask(thin.ravel()).node, Affine(box, 0, tuple(strides.get(d, 0) for d in range(len(box)))))

    def owned(self, box: Box, load: Load) -> Node:
        """A node that holds what is read over a box, in order."""
        marks = self.marks(load)
        if marks is not None:
            return self.mask(marks).node
        if load.node.size == load.address.points and load.address.key == contiguous(box).key:
            return load.node
        return self.graph.map(PRIMITIVES["copy"], box, (load,))

    def flat(self, load: Load) -> Load:
        """The same numbers over a box of one dimension."""
        return self.on_box(load, (load.address.points,))

    def zeros(self, size: int) -> Node:
        """A vector of zeros that are known to be zero."""
        return self.graph.join(size, ())


def _moves_everywhere(address: Address) -> bool:
    return isinstance(address, Table) or 0 not in address.strides


def _moves(address: Address, dimension: int) -> bool:
    return isinstance(address, Table) or address.strides[dimension] != 0


def _thinned(load: Load, box: Box, dimensions: list[int]) -> Load:
    """What is read over some dimensions of the box, at the first point of the others."""
    address = load.address
    assert isinstance(address, Affine)
    return Load(load.node, Affine(box, address.offset, tuple(address.strides[d] for d in dimensions)))


def read(load: Load, where: Address) -> Load:
    """What a load reads at places of its box."""
    return Load(load.node, composed(load.address, where))


def seeded(address: Address, seeds: int | None) -> Address:
    """The address of numbers that are `seeds` tangents each, side by side; None for one without a dimension.

    >>> seeded(Affine((3,), 1, (2,)), 4)
    Affine(box=(3, 4), offset=4, strides=(8, 1))
    """
    if seeds is None:
        return address
    if isinstance(address, Affine):
        strides = (*(seeds * stride for stride in address.strides), 1)
        return Affine((*address.box, seeds), seeds * address.offset, strides)
    places = address.places.astype(np.int64)[:, None] * seeds + np.arange(seeds)
    return table((*address.box, seeds), places)


def spread(load: Load, seeds: int | None) -> Load:
    """What a load reads, for each of several seeds the same."""
    if seeds is None:
        return load
    address = load.address
    if isinstance(address, Affine):
        wide: Address = Affine((*address.box, seeds), address.offset, (*address.strides, 0))
    else:
        wide = table((*address.box, seeds), np.repeat(address.places, seeds))
    return Load(load.node, wide)


def flipped(address: Address, axis: int) -> Address:
    """The map with one dimension of its box run backwards."""
    box = address.box
    if isinstance(address, Table):
        return recognised(np.flip(address.places.reshape(box), axis))
    strides = list(address.strides)
    offset = address.offset + strides[axis] * (box[axis] - 1)
    strides[axis] = -strides[axis]
    return Affine(box, offset, tuple(strides))


def part(box: Box, start: int) -> Affine:
    """A stretch of a vector, over a box."""
    return Affine(box, start, c_strides(box))


def copied(program: Program, builder: Builder, inputs: list[Node]) -> dict[int, Node]:
    """The nodes of a Program in another graph, by their index in the old one.

    Parameters
    ----------
    program : Program
    builder : Builder
    inputs : list of Node
        The nodes that stand for the inputs and then for the constants of the program, in the order of their operands.
    """
    graph, made = builder.graph, dict[int, Node]()
    first = len(program.input_sizes)
    place = {slot: first + k for k, slot in enumerate(program.constants)}
    for node, site in zip(program.nodes, program.sites, strict=True):
        if node.kind in ("input", "constant"):
            made[node.index] = inputs[node.slot if node.kind == "input" else place[node.slot]]
            continue
        graph.site = site
        made[node.index] = copy_of(graph, node, made)
    return made


def copy_of(graph: Graph, node: Node, made: dict[int, Node]) -> Node:
    """A node in another graph, on the operands that were made there."""
    return remade(graph, node, lambda load: Load(made[load.node.index], load.address))


def remade(graph: Graph, node: Node, operand: Callable[[Load], Load]) -> Node:
    """A node once more, on other operands; not an input or a constant."""
    loads = tuple(map(operand, node.loads))
    if node.primitive is not None:
        return graph.map(node.primitive, node.box, loads)
    if node.routine is not None:
        return graph.call(node.routine, node.size, loads)
    if node.kind == "sum":
        return graph.sum(node.box, loads[0], node.reduced, node.indptr)
    return graph.join(node.size, tuple(Piece(p.store, operand(p.load), p.site) for p in node.pieces))
