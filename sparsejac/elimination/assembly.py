"""Sweeps that write terms: those of one box together, so that they share loads and whatever they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kernels.address import Address
from kernels.kernel import Kernel, KernelBuilder, lean
from kernels.records import dataclass, replace
from kernels.step import Access
from kernels.sweep import Store, Sweep
from sparsejac.elimination.demands import Factor, factors_over
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import Box, collapse, composed, covers

_MULTIPLY = PRIMITIVES["multiply"].operation
_ADD = PRIMITIVES["add"].operation

LARGEST = 600
"""Instructions after which a sweep takes in no further terms."""

MOST_LOADS = 1 << 12
"""Numbers kept free for loads while a kernel is built."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A product of factors at each point of a box, and where it goes.

    Parameters
    ----------
    box : tuple of int
    factors : tuple of Factor
        1.0 if there are none.
    buffer : int
    address : Address
    adds : bool
    late : bool
        Whether it is added at points where other terms of the sweep are stored at a later one along the last dimension.
    """

    box: Box
    factors: tuple[Factor, ...]
    buffer: int
    address: Address
    adds: bool
    late: bool = False

    def over(self, points: Address) -> Placed:
        """The same at some of its points."""
        factors, address = factors_over(self.factors, points), composed(self.address, points)
        return replace(self, box=points.box, factors=factors, address=address)


def grouped(placed: Sequence[Placed]) -> list[list[int]]:
    """What goes into one sweep each: positions in `placed` of equal boxes, within bounds."""
    groups: list[list[int]] = []
    last: dict[Box, tuple[int, _Size]] = {}
    for k, term in enumerate(placed):
        number, size = last.get(term.box, (-1, None))
        if size is None or not size.takes(term):
            number, size = len(groups), _Size(term)
            groups.append([])
        groups[number].append(k)
        last[term.box] = number, size
    return groups


class _Size:
    """The size of a sweep as terms come: bounded from above at first, which mostly tells, then counted."""

    def __init__(self, term: Placed) -> None:
        self._terms: list[Placed] = []
        self._met: set[object] = set()
        self._at_most = 0
        self._builder: _Builder | None = None
        # The factors of one large kernel stay together: alone, each would compute most of it again.
        self._most = max(LARGEST, 3 * self._with(term, 2 * LARGEST // 3) // 2)

    def takes(self, term: Placed) -> bool:
        """Whether a term may be added; it counts either way."""
        return self._with(term, self._most) <= self._most

    def _with(self, term: Placed, most: int) -> int:
        """Instructions, or loads if these are more, once a term is there; a bound of it where that is enough."""
        if self._builder is None:
            self._terms.append(term)
            self._at_most += self._bound(term)
            if self._at_most <= most:
                return self._at_most
            self._builder = _Builder()
            for earlier in self._terms[:-1]:
                self._builder.size_with(earlier)
        return self._builder.size_with(term)

    def _bound(self, term: Placed) -> int:
        """Instructions and loads that a term adds at most."""
        bound = 1 + len(term.factors)
        for factor in term.factors:
            key = (id(factor.kernel), *[(load.buffer, load.address.key) for load in factor.loads])
            if key not in self._met:
                self._met.add(key)
                bound += len(factor.kernel.instructions) + len(factor.loads)
        return bound


Made = tuple[tuple[Address, tuple[Factor, ...]], ...]
"""Parts of a buffer: where each is stored, and the factors whose product that is."""

Inlined = Mapping[int, Made]
"""Buffers that nobody fills, and what they would hold."""


def factors_at(made: Made, address: Address) -> tuple[Factor, ...] | None:
    """The factors of what a buffer would hold under an address; None where that takes several parts."""
    for store, factors in made:
        if store.key == address.key:
            return factors
        if len(made) == 1 and covers(store, store.points):
            return factors_over(factors, address)
    return None


class _Builder:
    """A kernel of products of factors, with loads as they come.

    Parameters
    ----------
    inlined : mapping, optional
        Buffers whose numbers are computed where they would be loaded.
    """

    def __init__(self, inlined: Inlined | None = None) -> None:
        self._inlined = inlined or {}
        self._computed: dict[object, int] = {}
        self.kernel = KernelBuilder(MOST_LOADS)
        self.loads: list[Access] = []
        self._numbers: dict[object, int] = {}
        self._numbered: dict[int, tuple[tuple[Access, ...], tuple[int, ...]]] = {}
        self._replayed: dict[object, list[int]] = {}

    def foresee(self, placed: Iterable[Placed]) -> None:
        """Number all loads before the first instruction, so that instructions keep their numbers in the end."""
        factors = [factor for term in placed for factor in term.factors]
        if self._inlined and any(load.buffer in self._inlined for factor in factors for load in factor.loads):
            return
        for factor in factors:
            self._numbers_of(factor.loads)
        self.kernel = KernelBuilder(len(self.loads))

    def size_with(self, term: Placed) -> int:
        """Number of instructions, or of loads if these are more, once those of a term are there."""
        self.product(term.factors)
        return max(self.kernel.size, len(self.loads))

    def product(self, factors: Iterable[Factor]) -> int:
        """The number of a product."""
        result: int | None = None
        for factor in factors:
            value = self._value(factor)
            if self.kernel.is_literal(value, 1.0):
                continue
            result = value if result is None else self.kernel.apply(_MULTIPLY, result, value)
        return self.kernel.literal(1.0) if result is None else result

    def _value(self, factor: Factor) -> int:
        """The number of a factor; those of one kernel on the same loads are written down together."""
        loads = self._numbers_of(factor.loads)
        key = (id(factor.kernel), loads)
        if key not in self._replayed:
            self._replayed[key] = self.kernel.replay(factor.kernel, loads)
        return self._replayed[key][factor.value]

    def _numbers_of(self, loads: tuple[Access, ...]) -> tuple[int, ...]:
        """The numbers of loads; those that many factors have in common are looked up once."""
        known = self._numbered.get(id(loads))
        if known is None:
            known = self._numbered[id(loads)] = loads, tuple(map(self._load, loads))
        return known[1]

    def _load(self, access: Access) -> int:
        key = (access.buffer, access.address.key)
        if access.buffer in self._inlined:
            if key not in self._computed:
                factors = factors_at(self._inlined[access.buffer], access.address)
                assert factors is not None
                self._computed[key] = self.product(factors)
            return self._computed[key]
        number = self._numbers.setdefault(key, len(self.loads))
        if number == len(self.loads):
            assert number < self.kernel.loads
            self.loads.append(access)
        return number

    def build(self, outputs: Iterable[int]) -> tuple[Kernel, tuple[Access, ...]]:
        """The kernel, with the loads that it needs."""
        kernel, kept = lean(self.kernel.build(*outputs))
        return kernel, tuple(self.loads[k] for k in kept)


def kernel_of(placed: Sequence[Placed], inlined: Inlined | None = None) -> tuple[Kernel, tuple[Access, ...]]:
    """The kernel of terms over one box, and its loads: an output for each place, the sum of the terms that go there.

    Parameters
    ----------
    placed : sequence of Placed
    inlined : mapping, optional
        Buffers whose numbers are computed where they would be loaded.
    """
    builder = _Builder(inlined)
    builder.foresee(placed)
    sums: dict[object, int] = {}
    for term in placed:
        value, place = builder.product(term.factors), _place(term)
        sums[place] = builder.kernel.apply(_ADD, sums[place], value) if place in sums else value
    return builder.build(sums.values())


def sweep_of(
    placed: Sequence[Placed], inlined: Inlined | None = None, known: tuple[Kernel, tuple[Access, ...]] | None = None
) -> Sweep:
    """One sweep for terms over one box; see `kernel_of`, whose result may be `known`."""
    kernel, loads = kernel_of(placed, inlined) if known is None else known
    stores = list({_place(term): term for term in placed}.values())
    box, merged = _collapsed([*(load.address for load in loads), *(term.address for term in stores)])
    return Sweep(
        kernel,
        box,
        tuple(Access(load.buffer, address) for load, address in zip(loads, merged, strict=False)),
        tuple(Store(Access(t.buffer, m), t.adds) for t, m in zip(stores, merged[len(loads) :], strict=True)),
        by_rows=any(term.late for term in placed),
    )


def _place(term: Placed) -> object:
    return term.buffer, term.address.key, term.adds


def _collapsed(addresses: list[Address]) -> tuple[Box, list[Address]]:
    (box,), merged = collapse(addresses, (len(addresses[0].box),))
    return box, merged
