"""The launches of a schedule: the kernel of each root, over as few dimensions as its addresses allow."""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index, Table
from kernels.kernel import Kernel, KernelBuilder
from kernels.operation import Operation
from kernels.records import dataclass, replace
from kernels.step import Access, Launch
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import collapse, composed, recognised
from sparsejac.programs.program import Load, Node, is_zero
from sparsejac.schedules.partials import differentiable_loads, linearized

_COPY, _ADD = PRIMITIVES["copy"].operation, PRIMITIVES["add"].operation


@dataclass(frozen=True, eq=False)
class Root:
    """What becomes a launch: an expression over a box, summed or not, and where it is stored.

    Parameters
    ----------
    node : Node
    box : tuple of int
        Iteration space.
    loads : tuple of Load
        What is stored is one load, or `operation` applied to several.
    operation : Operation, optional
    store : Address
        Over the rows: the dimensions of the box that are not reduced.
    buffer : int
        Where it is stored.
    reduced : int
        Number of trailing dimensions of the box that are summed.
    loop : int
        Number of the loop that it is a part of: see `kernels.step.Launch`.
    added : bool
        Whether the loads are terms of a sum that is written out, which begins with 0.0.
    """

    node: Node
    box: tuple[int, ...]
    loads: tuple[Load, ...]
    operation: Operation | None
    store: Address
    buffer: int
    reduced: int = 0
    loop: int = 0
    added: bool = False

    @property
    def is_sum(self) -> bool:
        """Whether points are added up."""
        return bool(self.reduced) or self.indptr is not None

    @property
    def indptr(self) -> Index | None:
        """Ranges of points of a ragged sum."""
        return self.node.indptr if self.node.kind == "sum" else None

    @property
    def row_dimensions(self) -> int:
        """Number of dimensions of the box that are not summed."""
        return len(self.box) - self.reduced

    def at(self, dimension: int, point: int) -> Root:
        """What it is at one point of a dimension of rows, over the others."""
        loads = tuple(Load(load.node, _without(load.address, dimension, point)) for load in self.loads)
        box = (*self.box[:dimension], *self.box[dimension + 1 :])
        return replace(self, box=box, loads=loads, store=_without(self.store, dimension, point))

    def written_out(self) -> Root:
        """A sum over trailing dimensions as an expression over its rows."""
        (load,) = self.loads
        rows = self.box[: self.row_dimensions]
        terms = self.box[self.row_dimensions :]
        loads = [load]
        for length in terms:
            loads = [Load(one.node, _without(one.address, len(rows), k)) for one in loads for k in range(length)]
        return replace(self, box=rows, loads=tuple(loads), reduced=0, added=True)


def _without(address: Address, dimension: int, point: int) -> Address:
    """An address at one point of a dimension, over the others."""
    box = (*address.box[:dimension], *address.box[dimension + 1 :])
    if isinstance(address, Table):
        places: npt.NDArray[Any] = address.places.reshape(address.box).take([point], axis=dimension)
        return recognised(places.reshape(box), owned=True)
    strides = (*address.strides[:dimension], *address.strides[dimension + 1 :])
    return Affine(box, address.offset + point * address.strides[dimension], strides)


def in_turns(node: Node, buffer: int, first: int, loop: int) -> list[Root]:
    """What becomes the launches of a map over the turns of a loop: one for each of its points in a turn.

    Parameters
    ----------
    node : Node
        The first dimension of its box are the turns.
    buffer, first : int
        Where it is stored: a buffer, and the first place there.
    loop : int
    """
    assert node.primitive is not None
    turns, *inner = node.box
    count = prod(inner)
    roots = []
    for point in range(count):
        box = Affine((turns,), point, (count,))
        loads = tuple(Load(load.node, composed(load.address, box)) for load in node.loads)
        store = Affine((turns,), first + point, (count,))
        roots.append(Root(node, (turns,), loads, node.primitive.operation, store, buffer, loop=loop))
    return roots


def launch_of(root: Root, buffers: Mapping[int, int], active: Set[int]) -> Launch:
    """The launch of a root.

    Parameters
    ----------
    root : Root
    buffers : mapping
        Buffers of the nodes that have one; all others vanish into the kernel.
    active : set of int
        Buffers that depend differentiably on the first input.
    """
    expression = _Expression(buffers)
    operands = [expression.value(load.node, load.address) for load in root.loads]
    if root.added:
        top = expression.total(operands)
    else:
        top = operands[0] if root.operation is None else expression.apply(root.operation, operands)
    kernel, loads = expression.build(top)
    return _finished(kernel, loads, root, active)


class _Expression:
    """Builds the kernel of a root from the nodes that vanish into it."""

    def __init__(self, buffers: Mapping[int, int]) -> None:
        self.buffers = buffers
        self.loads: dict[object, tuple[int, Access]] = {}
        # Operations on earlier steps; zero is the literal 0.0.
        self.steps: list[tuple[Operation | None, tuple[int, ...]]] = []
        self.known: dict[object, int] = {}

    def value(self, node: Node, address: Address) -> int:
        """The number of a node's value; operands come first, by an explicit stack since chains may be long."""
        wanted = (node.index, address.key)
        stack: list[tuple[Node, Address]] = [(node, address)]
        while stack:
            top, where = stack[-1]
            key = (top.index, where.key)
            if key in self.known:
                stack.pop()
            elif is_zero(top):
                self.known[key] = self._zero()
                stack.pop()
            elif top.index in self.buffers:
                self.known[key] = self._load(top, where)
                stack.pop()
            else:
                assert top.primitive is not None
                operands = [(load.node, composed(load.address, where)) for load in top.loads]
                missing = [o for o in operands if (o[0].index, o[1].key) not in self.known]
                if missing:
                    stack.extend(missing)
                else:
                    numbers = [self.known[o.index, a.key] for o, a in operands]
                    self.known[key] = self.apply(top.primitive.operation, numbers)
                    stack.pop()
        return self.known[wanted]

    def apply(self, operation: Operation, operands: list[int]) -> int:
        """A step on earlier values; loads are numbered -1, -2, ... until their number is known."""
        if operation is _COPY:
            return operands[0]
        self.steps.append((operation, tuple(operands)))
        return len(self.steps) - 1

    def total(self, operands: list[int]) -> int:
        """All operands added up, one after the other, from 0.0 on, as sums do."""
        total = self._zero()
        for operand in operands:
            total = self.apply(_ADD, [total, operand])
        return total

    def _zero(self) -> int:
        self.steps.append((None, ()))
        return len(self.steps) - 1

    def _load(self, node: Node, address: Address) -> int:
        buffer = self.buffers[node.index]
        number, _ = self.loads.setdefault((buffer, address.key), (-1 - len(self.loads), Access(buffer, address)))
        return number

    def build(self, top: int) -> tuple[Kernel, tuple[Access, ...]]:
        """The kernel and its loads."""
        builder = KernelBuilder(len(self.loads))
        numbers: list[int] = []

        def final(value: int) -> int:
            return -1 - value if value < 0 else numbers[value]

        for operation, operands in self.steps:
            made = builder.literal(0.0) if operation is None else builder.apply(operation, *map(final, operands))
            numbers.append(made)
        return builder.build(final(top)), tuple(access for _, access in self.loads.values())


def _finished(kernel: Kernel, loads: tuple[Access, ...], root: Root, active: Set[int]) -> Launch:
    """A launch with merged dimensions and the partial derivatives of its kernel."""
    addresses: list[Address] = [access.address for access in loads] or [_anywhere(root.box)]
    if root.indptr is not None:
        box, merged, store = root.box, addresses, root.store
    else:
        box, merged, store = _collapsed(addresses, root)
    accesses = tuple(Access(a.buffer, m) for a, m in zip(loads, merged, strict=False))
    candidates = differentiable_loads(kernel)
    chosen = tuple(k for k, access in enumerate(accesses) if access.buffer in active and k in candidates)
    reduced = 0 if root.indptr is not None else len(box) - len(store.box)
    partials = linearized(kernel, chosen)
    return Launch(kernel, partials, box, accesses, Access(root.buffer, store), chosen, reduced, root.indptr, root.loop)


def _collapsed(addresses: list[Address], root: Root) -> tuple[tuple[int, ...], list[Address], Address]:
    """Loads and store over fewer dimensions; the rows and the reduced dimensions are merged apart."""
    rows = len(root.box) - root.reduced
    spread = _over_points(root.store, root.box)
    boxes, merged = collapse([*addresses, spread], (rows, root.reduced))
    row_box, reduced_box = boxes
    if root.reduced and not reduced_box:
        reduced_box = (prod(root.box[rows:]),)
        merged = [_with_unit(address, (*row_box, 1)) for address in merged]
    box = (*row_box, *reduced_box)
    store = merged.pop()
    return box, merged, _rows_of(store, row_box)


def _with_unit(address: Address, box: tuple[int, ...]) -> Address:
    if isinstance(address, Table):
        return address.over(box)
    return Affine(box, address.offset, (*address.strides, 0))


def _over_points(store: Address, box: tuple[int, ...]) -> Address:
    """The store's address for each point of the box: the same for all points of a row."""
    if len(store.box) == len(box):
        return store
    extra = box[len(store.box) :]
    if isinstance(store, Affine):
        return Affine(box, store.offset, (*store.strides, *(0 for _ in extra)))
    places: npt.NDArray[Any] = np.repeat(store.places, prod(extra))
    return Table(box, places)


def _rows_of(spread: Address, row_box: tuple[int, ...]) -> Address:
    """The address of the rows from that of the points."""
    count = len(row_box)
    if len(spread.box) == count:
        return spread
    if isinstance(spread, Affine):
        return Affine(row_box, spread.offset, spread.strides[:count])
    width = prod(spread.box[count:])
    places: npt.NDArray[Any] = np.ascontiguousarray(spread.places[::width] if width else spread.places[:0])
    return Table(row_box, places)


def _anywhere(box: tuple[int, ...]) -> Affine:
    return Affine(box, 0, (0,) * len(box))
