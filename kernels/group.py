"""Launches that run as one loop, as long as others may still join them; see `kernels.merging`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from kernels.accumulating import SPARSE, places_of_terms, size_of
from kernels.address import Address, Table, probe
from kernels.kernel import Instruction, KernelBuilder, in_order_of_use
from kernels.merged import Merged
from kernels.step import Access, Launch

LARGEST = 600
"""Instructions and loads of a loop beyond which nothing more is merged into it: large ones take long to compile."""

LARGE, RELATED = 250, 4
"""The same for what has little in common: more than one in so many has to be there already. Numbers that are wanted
again much later have left the registers."""

STREAMS = 32
"""Buffers that a loop reads and writes; of more, the first are out of the cache before they are met again."""

Key = tuple[object, ...]


@dataclass(eq=False)
class Group:
    """Launches that run as one loop: their values by number, equal ones once.

    Parameters
    ----------
    like : Launch
        One over the box of all.
    readers : Counter
        How many launches read each buffer; one more where it is wanted from outside.
    """

    like: Launch
    readers: Counter[int]
    numbers: dict[Key, int] = field(default_factory=dict)
    values: list[Access | Instruction] = field(default_factory=list)
    loads: dict[tuple[int, object], int] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)
    results: list[tuple[Access, int]] = field(default_factory=list)
    # What is added somewhere, over the points.
    sums: list[tuple[Access, int]] = field(default_factory=list)
    streams: set[int] = field(default_factory=set)
    # What lies beside what is read, all over, and is in the cache then; and ragged rows.
    near: set[Key] = field(default_factory=set)
    # How many launches of the loop read a buffer.
    taken: Counter[int] = field(default_factory=Counter)
    # What the launches of the loop store, by buffer and address: the value.
    made: dict[tuple[int, object], int] = field(default_factory=dict)

    @property
    def stored(self) -> set[int]:
        """The buffers that the launches store to."""
        return {buffer for buffer, _ in self.made}

    def common(self, other: Group) -> int:
        """How many vectors both read, or one of them makes for the other one."""
        return len(self.loads.keys() & other.loads.keys()) + len(self.made.keys() & other.loads.keys())

    def united(self, other: Group) -> Group | None:
        """A group of the launches of both, if more than one in a few of their numbers is the same."""
        group = Group(self.like, self.readers)
        for launch in (*self.launches, *other.launches):
            if group.gain(launch) < 0:
                return None
            group.add(launch)
        sizes = len(self.values), len(other.values)
        return group if RELATED * (sum(sizes) - len(group.values)) >= min(sizes) else None

    def without(self, gone: Container[int]) -> Group | None:
        """The group without the launches of these ids; None if nothing is left."""
        left = [launch for launch in self.launches if id(launch) not in gone]
        if len(left) == len(self.launches):
            return self
        if not left:
            return None
        group = Group(left[0], self.readers)
        for launch in left:
            group.add(launch)
        return group

    def add_up(self, sums: Sequence[Launch], size: int) -> bool:
        """Add what the group makes for one buffer to ragged sums, if it makes all of their terms."""
        buffer = sums[0].loads[0].buffer
        results = [(store, value) for store, value in self.results if store.buffer == buffer]
        if sum(map(size_of, self.launches)) < SPARSE * len(results):
            return False
        found: list[tuple[Access, int]] = []
        for launch in sums:
            places = places_of_terms(launch, [store for store, _ in results], size)
            if places is None:
                return False
            added = zip(results, places, strict=True)
            found += [(Access(launch.store.buffer, table), value) for (_, value), table in added if table is not None]
        self.sums += found
        return True

    def gain(self, launch: Launch) -> int:
        """How much of a launch is there already; negative if it does not fit."""
        fresh = Trial(self)
        fresh.replay(launch)
        size = len(self.values) + len(fresh.values)
        if size > LARGEST or self._streams_with(launch) > STREAMS:
            return -1
        return fresh.known if size <= LARGE or RELATED * fresh.known >= len(fresh.values) else -1

    def _streams_with(self, launch: Launch) -> int:
        """How many vectors are read and written with one more launch; none that only this loop reads."""
        read, made = read_by(launch), self.stored
        stored = [b for b in made if self.readers[b] > self.taken[b] + (b in read)]
        return len((self.streams | streams_of(launch)) - made) + len(stored)

    def add(self, launch: Launch) -> None:
        """Take a launch in."""
        trial = Trial(self)
        value = trial.replay(launch)
        self.numbers |= trial.numbers
        self.values += trial.values
        self.loads |= trial.loads
        self.streams |= streams_of(launch)
        self.near |= neighbours(launch)
        self.taken.update(read_by(launch))
        self.launches.append(launch)
        self.results.append((launch.store, value))
        self.made[launch.store.buffer, launch.store.address.key] = value

    def built(self, kept: set[int]) -> Merged:
        """The loop; of its results those are stored that are kept."""
        results = [(store, value) for store, value in self.results if store.buffer in kept]
        results = results if results or self.sums else self.results[-1:]
        accesses = [value for value in self.values if isinstance(value, Access)]
        builder, finals = KernelBuilder(len(accesses)), list[int]()
        count = 0
        for value in self.values:
            if isinstance(value, Access):
                finals.append(count)
                count += 1
            elif value.operation is None:
                finals.append(builder.literal(value.literal))
            else:
                finals.append(builder.apply(value.operation, *(finals[o] for o in value.operands)))
        kernel = builder.build(*(finals[value] for _, value in [*results, *self.sums]))
        kernel = in_order_of_use(kernel) if len(kernel.outputs) > 1 else kernel
        like, stores, sums = self.like, tuple(store for store, _ in results), tuple(store for store, _ in self.sums)
        return Merged(kernel, like.box, like.row_box, tuple(accesses), stores, like.indptr, sums)


class Trial:
    """The values of a launch in a group that it may join."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.numbers: dict[Key, int] = {}
        self.values: list[Access | Instruction] = []
        self.loads: dict[tuple[int, object], int] = {}
        self.known = 0

    def replay(self, launch: Launch) -> int:
        """The number of the result."""
        # Ragged rows of the same lengths are gone through once.
        self.known += launch.indptr is not None
        found = [self._load(access) for access in launch.loads]
        for instruction in launch.kernel.instructions:
            operands = tuple(found[o] for o in instruction.operands)
            key: Key = ("literal", instruction.literal.hex())
            if instruction.operation is not None:
                key = (instruction.operation.name, *operands)
            number, is_known = self._number(key, Instruction(instruction.operation, operands, instruction.literal))
            self.known += is_known and instruction.operation is not None
            found.append(number)
        return found[launch.kernel.outputs[0]]

    def _load(self, access: Access) -> int:
        made = self.group.made.get((access.buffer, access.address.key))
        if made is not None:
            self.known += 1
            return made
        key = access.buffer, access.address.key
        number, is_known = self._number(("load", *key), access)
        self.loads[key] = number
        is_near = near(access) in self.group.near
        self.known += (is_known or is_near) and is_moving(access.address)
        return number

    def _number(self, key: Key, value: Access | Instruction) -> tuple[int, bool]:
        known = self.group.numbers.get(key, self.numbers.get(key))
        if known is not None:
            return known, key in self.group.numbers
        number = self.numbers[key] = len(self.group.values) + len(self.values)
        self.values.append(value)
        return number, False


def with_readers(groups: Sequence[Group]) -> list[int]:
    """The numbers of the first group, and of those that read what it makes, or what one of these makes."""
    found: list[int] = []
    made: set[int] = set()
    for k, group in enumerate(groups):
        if not k or not made.isdisjoint(group.taken):
            found.append(k)
            made |= group.stored
    return found


def read_by(launch: Launch) -> set[int]:
    """The buffers that a launch reads."""
    return {load.buffer for load in launch.loads}


def streams_of(launch: Launch) -> set[int]:
    """The buffers of which more than one number is read."""
    return {access.buffer for access in launch.loads if is_moving(access.address)}


def neighbours(launch: Launch) -> set[Key]:
    """What a launch has in common with those that read beside it, and with those over ragged rows of its lengths."""
    found = {near(load) for load in launch.loads} - {()}
    return found if launch.indptr is None else found | {("ragged", *probe(launch.indptr))}


def near(access: Access) -> Key:
    """What accesses have in common that read numbers side by side all over."""
    address = access.address
    if isinstance(address, Table) or not address.box or address.strides[-1] in (0, 1):
        return ()
    return (access.buffer, address.box, address.strides)


def is_moving(address: Address) -> bool:
    """Whether more than one number is read."""
    return isinstance(address, Table) or any(address.strides)
