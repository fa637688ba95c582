"""Demands: which derivatives by a node are wanted, at which points of which box, and times what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from math import prod

import numpy as np

from kernels.address import Address, Affine, Table
from kernels.kernel import Kernel
from kernels.records import dataclass, replace
from kernels.step import Access
from sparsejac.elimination.common_points import shared_cells
from sparsejac.patterns.pattern import index_dtype
from sparsejac.pieces.boxes import Ranges, inside
from sparsejac.programs.addressing import Box, c_strides, composed, contiguous, covers, digits, recognised, table


@dataclass(frozen=True, eq=False)
class Factor:
    """A number at each point of a box.

    Parameters
    ----------
    kernel : Kernel
        What factors have in common: all partial derivatives of an expression, say.
    loads : tuple of Access
    output : int, optional
        Number of the value in the kernel that is meant; its one output by default.
    """

    kernel: Kernel
    loads: tuple[Access, ...]
    output: int | None = None

    @property
    def value(self) -> int:
        """Number of the value in the kernel."""
        return self.kernel.outputs[0] if self.output is None else self.output

    @cached_property
    def weight(self) -> int:
        """Cost at one point, in additions."""
        return self.kernel.weight_of(self.value)

    def over(self, points: Address) -> Factor:
        """The same at other points: each point of another box stands for one of this."""
        return replace(self, loads=tuple(Access(a.buffer, composed(a.address, points)) for a in self.loads))


def loaded(buffer: int, address: Address) -> Factor:
    """A number as it stands in a buffer."""
    return Factor(_LOAD, (Access(buffer, address),))


def factors_over(factors: Iterable[Factor], points: Address) -> tuple[Factor, ...]:
    """Factors at other points; see `Factor.over`."""
    return tuple(factor.over(points) for factor in factors)


_LOAD = Kernel(1, (), (0,))

SHORTEST = 4
"""A last dimension that is no longer is written out, so that its points share what they have in common."""

IRREGULAR = 3
"""Demands are cut by places where one in so many is under a table: loops over regular ones would lose by it."""


@dataclass(frozen=True, eq=False)
class Demand:
    """The product of `factors` times the derivative of a node at `address` adds to the rows `rows` of a vertex.

    Parameters
    ----------
    vertex : int
    rows : Address
    factors : tuple of Factor
    address : Address
        Place of the node for each point of the box, which all addresses share.
    origin : object, optional
        What demands have in common that were met at the same points of some node.
    within : Address, optional
        Which of those points these are.
    """

    vertex: int
    rows: Address
    factors: tuple[Factor, ...]
    address: Address
    origin: object = None
    within: Address | None = None

    @property
    def box(self) -> Box:
        """The points."""
        return self.address.box

    @property
    def weight(self) -> int:
        """Cost of the factors at one point, in additions."""
        return sum(factor.weight for factor in self.factors)

    def over(self, points: Address, address: Address | None = None) -> Demand:
        """The same at other points."""
        factors = factors_over(self.factors, points)
        where = composed(self.address, points) if address is None else address
        within = None if self.within is None else composed(self.within, points)
        return Demand(self.vertex, composed(self.rows, points), factors, where, self.origin, within)

    def times(self, factors: Iterable[Factor], address: Address) -> Demand:
        """What it asks of another node, whose derivative is multiplied by these."""
        return replace(self, factors=(*self.factors, *factors), address=address)


@dataclass(frozen=True, eq=False)
class Frame:
    """Demands on a node over one box, at the same places of the node."""

    address: Address
    demands: tuple[Demand, ...]


def frames(demands: Sequence[Demand], box: Box) -> list[Frame]:
    """Demands by the points of the node itself where each of these is asked for once, so that they share work.

    Affine demands stay by themselves unless they ask for the same points: what they add to would no longer be written
    once, and loops that add to neighbouring places do not vectorise.

    Parameters
    ----------
    demands : sequence of Demand
    box : tuple of int
        That of the node.
    """
    demands = _united(demands, prod(box))
    parts = [part_of(demand.address, box) for demand in demands]
    if any(part is None for part in parts):
        irregular = _by_places(demands, box)
        if irregular is not None:
            return irregular
    alone: list[Frame] = []
    shared: dict[tuple[Box, Box], list[tuple[Demand, Part]]] = {}
    for demand, part in zip(demands, parts, strict=True):
        if part is None:
            alone.append(Frame(demand.address, (demand,)))
        else:
            shared.setdefault((part.low, part.lengths), []).append((demand, part))
    strides, found = c_strides(box), []
    for (low, lengths), members in shared.items():
        address = Affine(lengths, sum(a * s for a, s in zip(low, strides, strict=True)), strides)
        found.append(_met(address, [demand.over(part.back(), address) for demand, part in members]))
    return found + alone


def _by_places(demands: Sequence[Demand], box: Box) -> list[Frame] | None:
    """Demands that ask for many places together, those of each place in one frame; None where most are regular.

    The places along a short last dimension belong together: what is wanted of the corners of an element, say.
    """
    tabled = sum(demand.address.points for demand in demands if isinstance(demand.address, Table))
    if tabled == 0 or IRREGULAR * tabled < sum(demand.address.points for demand in demands):
        return None
    width = box[-1] if len(box) > 1 and 1 < box[-1] <= SHORTEST else 1
    asked = [one for demand in demands for one in _along_last(demand, width)]
    cells = shared_cells([rows for _, _, rows in asked])
    if cells is None:
        return None
    found = []
    for rows, members in cells:
        origin = object()
        for place in sorted({asked[k][1] for k, _ in members}):
            address = listed(rows * width + place)
            chosen = ((asked[k][0], points) for k, points in members if asked[k][1] == place)
            found.append(_met(address, [demand.over(listed(points), address) for demand, points in chosen], origin))
    return found


def _along_last(demand: Demand, width: int) -> list[tuple[Demand, int, np.ndarray]]:
    """The parts of a demand at each place of a last dimension, and the rows of the others that they ask for."""
    places = demand.address.table()
    if width == 1:
        return [(demand, 0, places)]
    points = [np.flatnonzero(places % width == k) for k in range(width)]
    return [(demand.over(listed(p)), k, places[p] // width) for k, p in enumerate(points) if len(p)]


def _met(address: Address, demands: Sequence[Demand], origin: object = None) -> Frame:
    """A frame whose demands know that they have met."""
    origin, within = object() if origin is None else origin, contiguous(address.box)
    return Frame(address, tuple(replace(demand, origin=origin, within=within) for demand in demands))


def _united(demands: Sequence[Demand], size: int) -> list[Demand]:
    """Demands by tables whose factors are alike as one, where that asks for all places once each."""
    alike: dict[object, list[Demand]] = {}
    for demand in demands:
        factors = tuple((f.kernel.digest, f.value, tuple(load.buffer for load in f.loads)) for f in demand.factors)
        alike.setdefault((demand.vertex, factors), []).append(demand)
    found: list[Demand] = []
    for group in alike.values():
        is_whole = len(group) > 1 and sum(demand.address.points for demand in group) == size
        places = np.concatenate([demand.address.table() for demand in group]) if is_whole else np.empty(0)
        if is_whole and np.bincount(places, minlength=size).all():
            found.append(_joined(group))
        else:
            found += group
    return found


def _joined(demands: Sequence[Demand]) -> Demand:
    """The points of several demands behind each other."""

    def join(addresses: Iterable[Address]) -> Address:
        return recognised(np.concatenate([address.table() for address in addresses]))

    factors = []
    for same in zip(*(demand.factors for demand in demands), strict=True):
        loads = zip(*(factor.loads for factor in same), strict=True)
        joined = tuple(Access(those[0].buffer, join(load.address for load in those)) for those in loads)
        factors.append(Factor(same[0].kernel, joined, same[0].output))
    rows, address = join(d.rows for d in demands), join(d.address for d in demands)
    return Demand(demands[0].vertex, rows, tuple(factors), address)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a node's box, and the demand's point for each of its points.

    Parameters
    ----------
    low, lengths : tuple of int
    offset : int
        The demand's point at `low`.
    strides : tuple of int
    inverse : array of int, optional
        The demand's point for each place of the node, which is asked for as a whole, in place of these.
    """

    low: tuple[int, ...]
    lengths: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]
    inverse: Address | None = None

    @property
    def ranges(self) -> Ranges:
        """What it covers of the box of the node."""
        return tuple((a, a + n) for a, n in zip(self.low, self.lengths, strict=True))

    def back(self, cell: Ranges | None = None) -> Address:
        """The demand's points over this, or over a cell of it, in the order of the node's."""
        if self.inverse is not None:
            return self.inverse
        own = Affine(self.lengths, self.offset, self.strides)
        moved = tuple((a - low, b - low) for (a, b), low in zip(cell or self.ranges, self.low, strict=True))
        return inside(own, moved)


def part_of(address: Address, box: Box) -> Part | None:
    """The part of a node's box that an address leads to, if it leads to each of its points once.

    >>> part_of(Affine((4,), 1, (1,)), (6,)).low, part_of(Affine((4,), 0, (0,)), (6,))
    ((1,), None)
    """
    if covers(address, prod(box)):
        return Part((0,) * len(box), box, 0, c_strides(box))
    if isinstance(address, Table):
        return _permutation(address, box)
    low, lengths, strides, offset = digits(address.offset, c_strides(box), box), [1] * len(box), [0] * len(box), 0
    units, own = c_strides(box), c_strides(address.box)
    for length, stride, step in zip(address.box, address.strides, own, strict=True):
        if length == 1:
            continue
        axis = next((a for a, u in enumerate(units) if u == abs(stride) and box[a] > 1), None)
        if axis is None or lengths[axis] != 1:
            return None
        lengths[axis], strides[axis] = length, step
        if stride < 0:
            low[axis] -= length - 1
            strides[axis], offset = -step, offset + step * (length - 1)
    if address.points == 0 or any(a < 0 or a + n > m for a, n, m in zip(low, lengths, box, strict=True)):
        return None
    return Part(tuple(low), tuple(lengths), offset, tuple(strides))


def _permutation(address: Table, box: Box) -> Part | None:
    size = prod(box)
    if address.points != size or size == 0:
        return None
    inverse = np.full(size, -1, dtype=index_dtype(size))
    inverse[address.places] = np.arange(size, dtype=inverse.dtype)
    if inverse.min() < 0:
        return None
    return Part((0,) * len(box), box, 0, (0,) * len(box), recognised(inverse.reshape(box), owned=True))


def listed(points: np.ndarray) -> Address:
    """Points of a box by their numbers."""
    return recognised(points) if points.size else table((0,), points)
