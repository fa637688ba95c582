"""Sweeps that write terms: those of one box together, so that they share loads and whatever they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernels.address import Address
from kernels.kernel import Kernel, KernelBuilder
from kernels.step import Access
from kernels.sweep import Store, Sweep
from sparsejac.addressing import Box, collapse
from sparsejac.elimination.demands import Factor
from sparsejac.elimination.expansion import replay
from sparsejac.primitives import PRIMITIVES

_MULTIPLY = PRIMITIVES["multiply"].operation
_ADD = PRIMITIVES["add"].operation

LARGEST = 600
"""Instructions after which a sweep takes in no further terms."""

MANY = 1_000_000
"""Loads of a kernel that is only built to count its instructions."""


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
    """

    box: Box
    factors: tuple[Factor, ...]
    buffer: int
    address: Address
    adds: bool


def grouped(placed: Sequence[Placed]) -> list[list[int]]:
    """What goes into one sweep each: positions in `placed` of equal boxes, within bounds."""
    groups: list[list[int]] = []
    last: dict[Box, tuple[int, KernelBuilder, dict[object, int]]] = {}
    for k, term in enumerate(placed):
        number, builder, loads = last.get(term.box, (-1, None, None))
        if builder is not None and loads is not None:
            _product(builder, term.factors, _Numbering(loads))
        if builder is None or loads is None or builder.size > LARGEST:
            number, builder, loads = len(groups), KernelBuilder(MANY), {}
            _product(builder, term.factors, _Numbering(loads))
            groups.append([])
        groups[number].append(k)
        last[term.box] = number, builder, loads
    return groups


class _Numbering:
    """Numbers for loads as they come."""

    def __init__(self, loads: dict[object, int]) -> None:
        self._loads = loads

    def __getitem__(self, load: object) -> int:
        return self._loads.setdefault(load, len(self._loads))


def kernel_of(placed: Sequence[Placed]) -> tuple[Kernel, tuple[Access, ...]]:
    """The kernel of terms over one box, and its loads; one output for each term."""
    loads: dict[object, int] = {}
    accesses: list[Access] = []
    for access in (access for term in placed for factor in term.factors for access in factor.loads):
        if loads.setdefault((access.buffer, access.address.key), len(accesses)) == len(accesses):
            accesses.append(access)
    builder = KernelBuilder(len(accesses))
    sums: dict[object, int] = {}
    for term in placed:  # those that go to the same places are summed first
        value, place = _product(builder, term.factors, loads), _place(term)
        sums[place] = builder.apply(_ADD, sums[place], value) if place in sums else value
    return builder.build(*sums.values()), tuple(accesses)


def sweep_of(placed: Sequence[Placed]) -> Sweep:
    """One sweep for terms over one box."""
    kernel, loads = kernel_of(placed)
    stores = list({_place(term): term for term in placed}.values())
    box, merged = _collapsed([*(load.address for load in loads), *(term.address for term in stores)])
    return Sweep(
        kernel,
        box,
        tuple(Access(load.buffer, address) for load, address in zip(loads, merged, strict=False)),
        tuple(Store(Access(t.buffer, m), t.adds) for t, m in zip(stores, merged[len(loads) :], strict=True)),
    )


def _place(term: Placed) -> object:
    return term.buffer, term.address.key, term.adds


def _product(builder: KernelBuilder, factors: Iterable[Factor], loads: dict[object, int] | _Numbering) -> int:
    result: int | None = None
    for factor in factors:
        numbers = replay(builder, factor.kernel, [loads[a.buffer, a.address.key] for a in factor.loads])
        value = numbers[factor.kernel.outputs[0]]
        if builder.is_literal(value, 1.0):
            continue
        result = value if result is None else builder.apply(_MULTIPLY, result, value)
    return builder.literal(1.0) if result is None else result


def _collapsed(addresses: list[Address]) -> tuple[Box, list[Address]]:
    (box,), merged = collapse(addresses, (len(addresses[0].box),))
    return box, merged
