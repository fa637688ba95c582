"""From a Program to a Schedule: which nodes get a buffer, and which vanish into the kernels of their readers.

Views are addresses already. A map is inlined into the kernels that read it if computing it again there costs no more than
a stated number of operations for each of its elements; everything else becomes a launch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from kernels.address import Address, Affine, Table
from kernels.kernel import Kernel, KernelBuilder
from kernels.step import Access, Guard, Launch, Schedule
from sparsejac.addressing import collapse, composed, contiguous
from sparsejac.partials import differentiable_loads, linearized
from sparsejac.primitives import PRIMITIVES
from sparsejac.program import Load, Node, Program

RECOMPUTATION = 32
"""Weight of operations (see `Operation.weight`) that may be repeated for each element of a shared node."""

LARGEST_KERNEL = 160
"""Instructions after which a kernel takes in no further nodes."""

_COPY = PRIMITIVES["copy"].operation


@dataclass(eq=False)
class _Root:
    """What becomes a launch: an expression over a box, summed or not, and where it is stored."""

    box: tuple[int, ...]
    load: Load | None
    node: Node
    store: Address
    reduced: int = 0
    count: int = 0


@dataclass(eq=False)
class _Demands:
    """The readings of a node by roots: for each root the addresses under which it reads."""

    by_root: dict[int, tuple[_Root, dict[object, Address]]] = field(default_factory=dict)

    def add(self, root: _Root, address: Address) -> None:
        _, addresses = self.by_root.setdefault(id(root), (root, {}))
        addresses.setdefault(address.key, address)

    def readings(self) -> list[tuple[_Root, Address]]:
        return [(root, address) for root, addresses in self.by_root.values() for address in addresses.values()]


def schedule(program: Program) -> Schedule:
    """The launches that compute a Program.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Schedule
        Inputs are the program's inputs and then its constants; the output has a buffer of its own.
    """
    return _Lowering(program).schedule()


class _Lowering:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.roots: list[_Root] = []
        self.demands: dict[int, _Demands] = {}
        self.buffers: dict[int, int] = {}
        self.sizes: list[int] = [*program.input_sizes, *program.constant_sizes]
        place = {slot: len(program.input_sizes) + k for k, slot in enumerate(program.constants)}
        for node in program.nodes:
            if node.kind in ("input", "constant"):
                self.buffers[node.index] = node.slot if node.kind == "input" else place[node.slot]

    def schedule(self) -> Schedule:
        output_root = self._keep_results()
        for node in reversed(self.program.nodes):
            self._place(node)
        launches = tuple(self._launch(root) for root in reversed(self.roots))
        guards = tuple(Guard(self.buffers[d.node.index], d.expected) for d in self.program.decisions)
        inputs = tuple(range(len(self.program.input_sizes) + len(self.program.constant_sizes)))
        return Schedule(tuple(self.sizes), inputs, launches, output_root, guards)

    def _keep_results(self) -> int:
        """Give the output and the decisions buffers; an output that is an input is copied."""
        for decision in self.program.decisions:
            self._materialise(decision.node)
        output = self.program.output
        if output.kind not in ("input", "constant"):
            self._materialise(output)
            return self.buffers[output.index]
        whole = contiguous((output.size,))
        self.sizes.append(output.size)
        root = _Root((output.size,), Load(output, whole), output, whole)
        self._roots_of[id(root)] = len(self.sizes) - 1
        self.roots.append(root)
        return len(self.sizes) - 1

    @property
    def _roots_of(self) -> dict[int, int]:
        return self.__dict__.setdefault("_buffer_of_root", {})

    def _materialise(self, node: Node) -> None:
        if node.index not in self.buffers:
            self.sizes.append(node.size)
            self.buffers[node.index] = len(self.sizes) - 1

    def _place(self, node: Node) -> None:
        """Decide on a node once all its readers are known: inline it, or make it a launch of its own."""
        demands = self.demands.pop(node.index, _Demands())
        if node.kind in ("input", "constant"):
            return
        readings = demands.readings()
        if node.index not in self.buffers and node.kind == "map" and self._is_cheap(node, readings):
            for root, address in readings:
                root.count += 1
                for load in node.loads:
                    self._demand(load.node, root, composed(load.address, address))
            return
        self._materialise(node)
        for root in _roots(node):
            self._roots_of[id(root)] = self.buffers[node.index]
            self.roots.append(root)
            self._expand(root)

    def _is_cheap(self, node: Node, readings: list[tuple[_Root, Address]]) -> bool:
        assert node.primitive is not None
        if any(root.count >= LARGEST_KERNEL for root, _ in readings):
            return False
        again = sum(prod(root.box) for root, _ in readings) - node.size
        return again <= 0 or node.primitive.operation.weight * again <= RECOMPUTATION * node.size

    def _demand(self, node: Node, root: _Root, address: Address) -> None:
        self.demands.setdefault(node.index, _Demands()).add(root, address)

    def _expand(self, root: _Root) -> None:
        """Ask for what the top of a root's expression reads."""
        if root.load is not None:
            self._demand(root.load.node, root, root.load.address)
        else:
            for load in root.node.loads:
                self._demand(load.node, root, load.address)

    def _launch(self, root: _Root) -> Launch:
        builder = _Expression(self.buffers)
        if root.load is not None:
            top = builder.value(root.load.node, root.load.address)
        else:
            assert root.node.primitive is not None
            operands = [builder.value(load.node, load.address) for load in root.node.loads]
            top = builder.apply(root.node.primitive.operation, operands)
        kernel, loads = builder.build(top)
        return _finish(kernel, loads, root, self._roots_of[id(root)], self._active())

    def _active(self) -> set[int]:
        if not hasattr(self, "_active_buffers"):
            self._active_buffers = {
                self.buffers[node.index] for node in self.program.nodes if node.active and node.index in self.buffers
            }
        return self._active_buffers


def _roots(node: Node) -> list[_Root]:
    """The launches of a node that has a buffer. Later roots run earlier, so a join's last piece comes first."""
    if node.kind == "map":
        return [_Root(node.box, None, node, contiguous(node.box))]
    if node.kind == "sum":
        rows = node.box[: len(node.box) - node.reduced] if node.indptr is None else (node.size,)
        return [_Root(node.box, node.loads[0], node, contiguous(rows), node.reduced)]
    return [_Root(piece.store.box, piece.load, node, piece.store) for piece in reversed(node.pieces)]


class _Expression:
    """Builds the kernel of a root from the nodes that vanish into it."""

    def __init__(self, buffers: dict[int, int]) -> None:
        self.buffers = buffers
        self.loads: dict[object, tuple[int, Access]] = {}
        self.steps: list[tuple[object, tuple[int, ...]]] = []
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

    def apply(self, operation: object, operands: list[int]) -> int:
        """A step on earlier values; loads are numbered -1, -2, ... until their number is known."""
        if operation is _COPY:
            return operands[0]
        self.steps.append((operation, tuple(operands)))
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
            numbers.append(builder.apply(operation, *map(final, operands)))  # type: ignore[arg-type]
        return builder.build(final(top)), tuple(access for _, access in self.loads.values())


def _finish(kernel: Kernel, loads: tuple[Access, ...], root: _Root, buffer: int, active: set[int]) -> Launch:
    """A launch with merged dimensions and the partial derivatives of its kernel."""
    indptr = root.node.indptr if root.node.kind == "sum" else None
    addresses: list[Address] = [access.address for access in loads] or [_anywhere(root.box)]
    if indptr is not None:
        box, merged, store = root.box, addresses, root.store
    else:
        box, merged, store = _collapsed(addresses, root)
    accesses = tuple(Access(a.buffer, m) for a, m in zip(loads, merged, strict=False))
    candidates = differentiable_loads(kernel)
    chosen = tuple(k for k, access in enumerate(accesses) if access.buffer in active and k in candidates)
    reduced = 0 if indptr is not None else len(box) - len(store.box)
    return Launch(kernel, linearized(kernel, chosen), box, accesses, Access(buffer, store), chosen, reduced, indptr)


def _collapsed(addresses: list[Address], root: _Root) -> tuple[tuple[int, ...], list[Address], Address]:
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
        return Table(box, address.places)
    return Affine(box, address.offset, (*address.strides, 0))


def _over_points(store: Address, box: tuple[int, ...]) -> Address:
    """The store's address for each point of the box: the same for all points of a row."""
    if len(store.box) == len(box):
        return store
    extra = box[len(store.box) :]
    if isinstance(store, Affine):
        return Affine(box, store.offset, (*store.strides, *(0 for _ in extra)))
    return Table(box, np.repeat(store.places, prod(extra)))


def _rows_of(spread: Address, row_box: tuple[int, ...]) -> Address:
    """The address of the rows from that of the points."""
    count = len(row_box)
    if len(spread.box) == count:
        return spread
    if isinstance(spread, Affine):
        return Affine(row_box, spread.offset, spread.strides[:count])
    width = prod(spread.box[count:])
    return Table(row_box, np.ascontiguousarray(spread.places[::width] if width else spread.places[:0]))


def _anywhere(box: tuple[int, ...]) -> Affine:
    return Affine(box, 0, (0,) * len(box))
