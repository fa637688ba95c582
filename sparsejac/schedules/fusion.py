"""From a Program to a Schedule: which nodes get a buffer, and which vanish into the kernels of their readers.

Views are addresses already. A map is inlined into the kernels that read it if computing it again there costs no more
than a stated number of operations for each of its elements; everything else becomes a launch.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import field
from math import prod

from kernels.address import Address, Affine, Table
from kernels.lazy import Lazy
from kernels.records import dataclass
from kernels.step import Access, Call, Guard, Launch, Schedule
from kernels.stretches import cuts_of
from sparsejac.programs.addressing import composed, contiguous, covers
from sparsejac.programs.program import Load, Node, Program, is_zero
from sparsejac.schedules.launches import Root, in_turns, launch_of

ROLLING = Lazy("sparsejac.rolling.program")
MERGING, UNROLLING = Lazy("kernels.merging"), Lazy("sparsejac.schedules.unrolling")  # for values alone
Homes = Mapping[int, tuple[Node, int]]
"""Where maps are stored: see `sparsejac.rolling.program.Rolled`."""

RECOMPUTATION = 32
"""Weight of an operation (see `Operation.weight`) that may be repeated for each element of a shared node."""

REPEATED_CHAIN = 160
"""The same for a node with all that is computed on the way to it: no step of a recurrence repeats the earlier ones."""

SETTLED = 2 * REPEATED_CHAIN
"""From here on it is all the same how much more there is."""

FEWEST_MAPS = 72
"""Programs of fewer maps hold no loop that is worth to be looked for: what looks is not even loaded then."""

LARGEST_KERNEL = 160
"""Instructions after which a kernel takes in no further nodes."""

LARGEST_OF_VALUES = 500
"""The same where nobody takes derivatives of the kernel, which are several times as long."""

LIGHT = 2
"""Weight of what is computed anew at places in no order: more costs more than to read a number there."""

HEAVY, ELEMENTARY = 8, 16
"""Weight of what is computed apart from the loops that read it, if several times there, and if once in a sum: sums
add one number after the other, and short dimensions along which numbers are repeated are no work for vectors either."""

MANY_READ = 2
"""Vectors that are not read in the place of one, where what comes of them can be computed at their own points."""

MOST_STORED = 1 << 20
"""Numbers up to which that is so: larger vectors take longer to be written and read again."""


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
    return lower(program).schedule


@dataclass(frozen=True, eq=False)
class Lowered:
    """A Program and the launches that compute it.

    Parameters
    ----------
    program : Program
    schedule : Schedule
    buffers : mapping
        The buffers of the nodes that have one, by the index of the node; all others vanish into kernels.
    """

    program: Program
    schedule: Schedule
    buffers: Mapping[int, int]


def lower(program: Program, *, roll: bool = False, values_only: bool = False) -> Lowered:
    """As `schedule`, with what strategies that look at the Program itself need.

    Parameters
    ----------
    program : Program
    roll : bool
        Whether chains of small nodes that repeat themselves become loops; the buffers are not those of the Program's
        own nodes then.
    values_only : bool
        Whether nobody asks for derivatives of the launches: they have none then, and may be longer.
    """
    if roll and sum(node.kind == "map" for node in program.nodes) >= FEWEST_MAPS:
        found = ROLLING.rolled(program)
        lowering = _Lowering(found.program, found.homes, found.loops, values_only=values_only)
    else:
        lowering = _Lowering(program, values_only=values_only)
    return Lowered(program, lowering.schedule(), lowering.buffers)


def unfused(program: Program) -> tuple[Schedule, tuple[Node, ...]]:
    """The launches that compute a Program with a buffer for every node, and the node of each launch."""
    lowering = _Lowering(program, fuse=False)
    made = lowering.schedule()
    return made, tuple(growing.root.node for growing in reversed(lowering.roots))


@dataclass(eq=False)
class _Growing:
    """A root and the number of nodes that its kernel has taken in so far."""

    root: Root
    taken: int = 0


@dataclass(eq=False)
class _Demands:
    """The readings of a node by roots: for each root the addresses under which it reads."""

    by_root: dict[int, tuple[_Growing, dict[object, Address]]] = field(default_factory=dict)

    def add(self, reader: _Growing, address: Address) -> None:
        _, addresses = self.by_root.setdefault(id(reader), (reader, {}))
        addresses.setdefault(address.key, address)

    def readings(self) -> list[tuple[_Growing, Address]]:
        return [(reader, address) for reader, addresses in self.by_root.values() for address in addresses.values()]


class _Lowering:
    """Decides on the nodes from the output to the inputs: when one is met, all its readers are known."""

    def __init__(
        self,
        program: Program,
        homes: Homes | None = None,
        loops: Mapping[int, int] | None = None,
        *,
        fuse: bool = True,
        values_only: bool = False,
    ) -> None:
        self.program = program
        self.homes, self.loops = homes or {}, loops or {}
        self.fuse = fuse
        self.values_only = values_only
        self.largest = LARGEST_OF_VALUES if values_only else LARGEST_KERNEL
        self.roots: list[_Growing] = []
        # Calls, with the number of roots that run after each.
        self.calls: list[tuple[Node, int]] = []
        self.demands: dict[int, _Demands] = {}
        self.work = works(program)
        self.reads = reads(program, self.work)
        self.levels, self.sources = levels(program), sources(program, self.work)
        self.buffers: dict[int, int] = {}
        self.sizes: list[int] = [*program.input_sizes, *program.constant_sizes]
        place = {slot: len(program.input_sizes) + k for k, slot in enumerate(program.constants)}
        for node in program.nodes:
            if node.kind in ("input", "constant"):
                self.buffers[node.index] = node.slot if node.kind == "input" else place[node.slot]

    def schedule(self) -> Schedule:
        """Decide, and build the launches."""
        inputs = tuple(range(len(self.sizes)))
        output = self._keep_results()
        for node in reversed(self.program.nodes):
            self._place(node)
        nodes = self.program.nodes
        active = {
            self.buffers[node.index]
            for node in nodes
            if node.active and not self.values_only and node.index in self.buffers
        }
        launches = self._launches(active)
        guards = tuple(Guard(self.buffers[d.node.index], d.expected) for d in self.program.decisions)
        calls = tuple(self._call(node, len(launches) - later) for node, later in reversed(self.calls))
        aux = None if self.program.aux is None else self.buffers[self.program.aux.index]
        return Schedule(tuple(self.sizes), inputs, launches, output, guards, calls, aux)

    def _launches(self, active: Set[int]) -> tuple[Launch, ...]:
        """The launches of all roots; those that nobody differentiates with short dimensions written out."""
        roots = [growing.root for growing in reversed(self.roots)]
        launches = [launch_of(root, self.buffers, active) for root in roots]
        if self.values_only and not self.calls:
            found: list[Launch] = []
            apart: set[int] = set()
            for root, launch in zip(roots, launches, strict=True):
                parts = UNROLLING.written_out(root, launch, apart)
                apart |= {root.buffer} if parts is not None and len(parts) > 1 else set()
                found += [launch] if parts is None else [launch_of(part, self.buffers, active) for part in parts]
            if len(found) <= MERGING.MOST_LAUNCHES:
                launches = found
        return tuple(launches)

    def _call(self, node: Node, position: int) -> Call:
        assert node.routine is not None
        loads = tuple(Access(self.buffers[load.node.index], load.address) for load in node.loads)
        return Call(node.routine.function, loads, self.buffers[node.index], position)

    def _keep_results(self) -> int:
        """Give the output, the decisions and what else is wanted buffers; an output that is an input is copied."""
        for decision in self.program.decisions:
            self._materialise(decision.node)
        if self.program.aux is not None:
            self._materialise(self.program.aux)
        output = self.program.output
        if output.kind not in ("input", "constant"):
            return self._materialise(output)
        whole = contiguous((output.size,))
        buffer = self._new_buffer(output.size)
        self.roots.append(_Growing(Root(output, (output.size,), (Load(output, whole),), None, whole, buffer)))
        return buffer

    def _new_buffer(self, size: int) -> int:
        self.sizes.append(size)
        return len(self.sizes) - 1

    def _materialise(self, node: Node) -> int:
        if node.index not in self.buffers:
            self.buffers[node.index] = self._new_buffer(node.size)
        return self.buffers[node.index]

    def _place(self, node: Node) -> None:
        """Decide on a node once all its readers are known: inline it, or make it a launch of its own."""
        if is_zero(node):
            self._materialise(node)
        if node.kind in ("input", "constant") or is_zero(node):
            return
        if node.kind == "call":
            self._materialise(node)
            self.calls.append((node, len(self.roots)))
            for load in node.loads:
                self._materialise(load.node)
            return
        if node.index in self.homes:
            home, first = self.homes[node.index]
            self._launch(node, self._materialise(home), first)
            return
        readings = self.demands.pop(node.index, _Demands()).readings()
        if node.index not in self.buffers and node.kind == "map" and self._is_cheap(node, readings):
            for reader, address in readings:
                reader.taken += 1
                for load in node.loads:
                    self._demand(load.node, reader, composed(load.address, address))
            return
        self._launch(node, self._materialise(node))

    def _launch(self, node: Node, buffer: int, first: int = 0) -> None:
        """Make a node launches of its own, which store from a place of a buffer on."""
        loop = self.loops.get(node.index, 0)
        for root in in_turns(node, buffer, first, loop) if loop else _roots(node, buffer, first):
            growing = _Growing(root)
            self.roots.append(growing)
            for load in root.loads:
                self._demand(load.node, growing, load.address)

    def _is_cheap(self, node: Node, readings: list[tuple[_Growing, Address]]) -> bool:
        assert node.primitive is not None
        if not self.fuse:
            return False
        if any(reader.taken >= self.largest for reader, _ in readings):
            return False
        again = sum(prod(reader.root.box) for reader, _ in readings) - node.size
        if self.work[node.index] * again > REPEATED_CHAIN * node.size:
            return False
        if self.values_only and (
            self._is_faster_apart(node, readings)
            or not self._is_light(node, readings)
            or self._is_sum_of_many(node, readings)
        ):
            return False
        return again <= 0 or node.primitive.operation.weight * again <= RECOMPUTATION * node.size

    def _is_light(self, node: Node, readings: list[tuple[_Growing, Address]]) -> bool:
        """Whether little is computed and read where a node is read at places in no order, if it is so at many."""
        points = sum(address.points for _, address in readings if isinstance(address, Table) and not _in_runs(address))
        if 2 * points < node.size:
            return True
        once = sum(address.points for _, address in readings) <= node.size
        if once:
            return self.work[node.index] <= 5 and self.reads[node.index] <= 4
        return self.work[node.index] <= LIGHT and self.reads[node.index] <= 1

    def _is_faster_apart(self, node: Node, readings: list[tuple[_Growing, Address]]) -> bool:
        """Whether much is computed where vector instructions are of no use: in sums, or again along a dimension."""
        assert node.primitive is not None
        slow = [address.points for reader, address in readings if reader.root.is_sum or _is_spread(address)]
        if not slow or node.size > MOST_STORED:
            return False
        if sum(slow) > node.size:
            return self.work[node.index] >= HEAVY
        return node.primitive.operation.weight >= ELEMENTARY

    def _is_sum_of_many(self, node: Node, readings: list[tuple[_Growing, Address]]) -> bool:
        """Whether a node at the end of much work is read once, by loops that cannot be its own, and has many sources.

        What it is computed from is stored then, to be read at other points, and each of it by several such loops.
        """
        if self.work[node.index] < SETTLED or len(self.sources[node.index]) < MANY_READ:
            return False
        once = 0 < sum(address.points for _, address in readings) <= node.size
        return once and all(self.levels[node.index] < self.levels[reader.root.node.index] for reader, _ in readings)

    def _demand(self, node: Node, reader: _Growing, address: Address) -> None:
        self.demands.setdefault(node.index, _Demands()).add(reader, address)


def works(program: Program) -> dict[int, int]:
    """For each node the weight of operations of one element, as far as these will not be stored on the way."""
    places: dict[int, set[object]] = {}
    for node in program.nodes:
        for k, load in enumerate(node.operands()):
            size = load.node.size
            key: object = 0 if size == 1 or covers(load.address, size) else load.address.key
            # What several maps read at the same places is computed once for all; pieces and sums stand alone.
            places.setdefault(load.node.index, set()).add(key if node.kind == "map" else (node.index, k))
    found: dict[int, int] = {}
    passed: dict[int, int] = {}
    for node in program.nodes:
        own = 0
        if node.primitive is not None:
            below = {load.node.index for load in node.loads}
            own = node.primitive.operation.weight + sum(passed[index] for index in below)
        again = len(places.get(node.index, ())) - 1
        found[node.index] = own = min(own, SETTLED)
        passed[node.index] = own if own * again <= REPEATED_CHAIN else 0
    return found


def reads(program: Program, work: Mapping[int, int]) -> dict[int, int]:
    """For each node the vectors that one element is computed from, as far as these will not be stored on the way."""
    found: dict[int, int] = {}
    for node in program.nodes:
        if node.kind == "map" and work[node.index] < SETTLED:
            below = {load.node.index for load in node.loads}
            found[node.index] = min(sum(found[index] for index in below), REPEATED_CHAIN)
        else:
            found[node.index] = int(node.size > 1)
    return found


def levels(program: Program) -> dict[int, int]:
    """For each node how often, on the way to it, numbers are read at other points than those where they were made."""
    found: dict[int, int] = {}
    for node in program.nodes:
        inner = [load for load in node.operands() if load.node.kind not in ("input", "constant") and load.node.size > 1]
        found[node.index] = max(
            (found[load.node.index] + (not covers(load.address, load.node.size)) for load in inner), default=0
        )
    return found


def sources(program: Program, work: Mapping[int, int]) -> dict[int, frozenset[int]]:
    """For each node some of the vectors that it is computed from, which will be stored as far as that is known."""
    found: dict[int, frozenset[int]] = {}
    for node in program.nodes:
        own: set[int] = set()
        if node.kind == "map":
            for load in node.loads:
                below = load.node
                if below.kind == "map" and work[below.index] < SETTLED:
                    own |= found[below.index]
                elif below.size > 1:
                    own.add(below.index)
        found[node.index] = frozenset(own if len(own) <= MANY_READ else sorted(own)[:MANY_READ])
    return found


def _is_spread(address: Address) -> bool:
    """Whether one place is read along a whole dimension."""
    return isinstance(address, Affine) and any(
        n > 1 and s == 0 for n, s in zip(address.box, address.strides, strict=True)
    )


def _in_runs(table: Table) -> bool:
    return bool(table.box) and len(cuts_of([table], table.box[0])) > 2


def _roots(node: Node, buffer: int, first: int = 0) -> list[Root]:
    """The launches of a node that has a buffer. Later roots run earlier, so a join's last piece comes first."""
    if node.primitive is not None:
        store = contiguous(node.box)
        if first:
            store = Affine(store.box, first, store.strides)
        return [Root(node, node.box, node.loads, node.primitive.operation, store, buffer)]
    if node.kind == "sum":
        rows = node.box[: len(node.box) - node.reduced] if node.indptr is None else (node.size,)
        return [Root(node, node.box, node.loads, None, contiguous(rows), buffer, node.reduced)]
    pieces = reversed(node.pieces)
    return [Root(node, piece.store.box, (piece.load,), None, piece.store, buffer) for piece in pieces]
