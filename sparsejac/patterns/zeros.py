"""Partial derivatives that are zero whatever x is: behind a mask, beside a zero of a matrix, in an unwritten border.

A schedule is run on facts instead of numbers. A fact says of one number whether it may be zero and whether it may be
something else. x and the arguments of a plan are unknown, constants are what they are, places that nobody stores to
are zero; each operation has a table from the facts of its operands to that of its result.

Zero times anything stays out of the pattern, as in any sparse matrix, even where the other factor comes out as infinity
or NaN. As a number such a product may be NaN then: no condition is decided by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Mapping
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Table
from kernels.kernel import Kernel
from kernels.operation import Operation
from kernels.records import dataclass
from kernels.step import Access, Launch, Schedule
from sparsejac.patterns.sparsity import Live
from sparsejac.programs.addressing import covers

VOID, ZERO, NONZERO, UNKNOWN = 0, 1, 2, 3
"""Void is zero but for a NaN where zero met infinity. Other NaNs are not zero, as in a comparison."""

Fact = int | npt.NDArray[np.uint8]
"""One fact for all places, or one for each."""

Known = Mapping[int, Fact]
"""Facts of buffers of constants."""

_Possible = frozenset[int]
_OPEN: _Possible = frozenset({UNKNOWN})
_ANY: _Possible = frozenset({ZERO, NONZERO, UNKNOWN})
_ZEROS: _Possible = frozenset({VOID, ZERO})


def fact_of(values: npt.NDArray[np.float64]) -> Fact:
    """Where numbers are zero.

    >>> fact_of(np.array([1.0, 2.0])), fact_of(np.array([0.0, 2.0])).tolist()
    (2, [1, 2])
    """
    zero = values == 0.0
    if not zero.any():
        return NONZERO
    return ZERO if zero.all() else np.where(zero, np.uint8(ZERO), np.uint8(NONZERO))


def digest(known: Known) -> str:
    """Digest of facts: equal for constants that are zero at the same places."""
    state = hashlib.blake2b(digest_size=20)
    for buffer, fact in sorted(known.items(), key=lambda item: item[0]):
        state.update(f"{buffer}:{fact if isinstance(fact, int) else fact.size};".encode())
        if not isinstance(fact, int):
            state.update(fact.tobytes())
    return state.hexdigest()


def relevant_inputs(schedule: Schedule) -> tuple[int, ...]:
    """The input buffers whose zeros can make a partial derivative zero.

    A factor is one, a summand is none: data that is only subtracted from a result may change its zeros freely.
    """
    needed = {load.buffer for demand, launch in _paired(schedule) for load in demand.loads(launch)}
    return tuple(b for b in schedule.inputs if b in needed)


def live_partials(schedule: Schedule, known: Known) -> Live:
    """For each launch the local partial derivatives that may be other than zero.

    Parameters
    ----------
    schedule : Schedule
    known : mapping
        Facts of inputs (see `fact_of`); inputs without one are unknown.

    Returns
    -------
    tuple of (array of bool, shape (points, active), or None)
        None where all may be.
    """
    facts: dict[int, Fact] = dict(known)
    masks, unwritten = [], _unwritten(schedule)
    for demand, launch in _paired(schedule):
        found = _evaluate(launch, demand, facts)
        masks.append(_mask(launch, found))
        if demand.stores:
            _store(launch, found.get(launch.linearized.outputs[0], UNKNOWN), schedule, unwritten, facts)
    return tuple(masks)


@dataclass(frozen=True)
class _Demand:
    """What has to be found out about a launch.

    Parameters
    ----------
    values : set of int
        Values of the linearized kernel that bear on a partial derivative.
    stores : bool
        Whether facts about the result are asked for later.
    """

    values: frozenset[int]
    stores: bool

    def loads(self, launch: Launch) -> Iterable[Access]:
        """The loads among the values."""
        return (access for k, access in enumerate(launch.loads) if k in self.values)


def _paired(schedule: Schedule) -> list[tuple[_Demand, Launch]]:
    """Launches with what is asked of them: found from the last to the first, by what could come out at all."""
    possible = _possibilities(schedule)
    needed: set[int] = set()
    demands: list[_Demand] = []
    for launch, facts in zip(reversed(schedule.launches), reversed(possible), strict=True):
        stores = launch.store.buffer in needed
        kernel = launch.linearized
        outputs = kernel.outputs if stores else kernel.outputs[1:]
        demands.append(_Demand(_reached(kernel, outputs, facts), stores))
        needed.update(load.buffer for load in demands[-1].loads(launch))
    return list(zip(reversed(demands), schedule.launches, strict=True))


def _reached(kernel: Kernel, outputs: Iterable[int], possible: list[_Possible]) -> frozenset[int]:
    """The values that outputs depend on, but for those about which nothing can be known."""
    reached = {o for o in outputs if possible[o] != _OPEN}
    for t in range(len(kernel.instructions) - 1, -1, -1):
        if kernel.loads + t in reached:
            reached.update(o for o in kernel.instructions[t].operands if possible[o] != _OPEN)
    return frozenset(reached)


def _possibilities(schedule: Schedule) -> list[list[_Possible]]:
    """For each launch the facts that each value of its kernel could have, whatever the constants are."""
    unwritten = _unwritten(schedule)
    called = [call.buffer for call in schedule.calls]
    buffers = {b: frozenset({ZERO}) if b in unwritten else frozenset() for b in range(len(schedule.sizes))}
    buffers.update(dict.fromkeys(schedule.inputs, _ANY))
    buffers.update(dict.fromkeys([schedule.x, *called], _OPEN))
    # Of what a loop stores nothing is known: each turn might tell of the next.
    opened = {launch.store.buffer for launch in schedule.launches if launch.loop}
    buffers.update(dict.fromkeys(opened, _OPEN))
    result = []
    for launch in schedule.launches:
        facts = [buffers[load.buffer] or _OPEN for load in launch.loads]
        exact = _exact_values(launch.linearized)
        for number, instruction in enumerate(launch.linearized.instructions, launch.linearized.loads):
            if number in exact:
                facts.append(frozenset({_exact_fact(exact[number])}))
            elif instruction.operation is not None:
                facts.append(_possible_results(instruction.operation, tuple(facts[o] for o in instruction.operands)))
        result.append(facts)
        value = facts[launch.linearized.outputs[0]]
        if launch.is_sum:
            value = _OPEN | ({VOID} if value & _ZEROS else set())
        if launch.store.buffer not in opened:
            buffers[launch.store.buffer] |= value
    return result


def _unwritten(schedule: Schedule) -> set[int]:
    """The buffers of which some places are stored by no launch."""
    stored = dict.fromkeys(range(len(schedule.sizes)), 0)
    for launch in schedule.launches:
        stored[launch.store.buffer] += launch.rows
    return {b for b, size in enumerate(schedule.sizes) if stored[b] < size}


@cache
def _possible_results(operation: Operation, operands: tuple[_Possible, ...]) -> _Possible:
    table = _table(operation)
    return frozenset(int(table[_index(facts)]) for facts in product(*operands))


def _exact_values(kernel: Kernel) -> dict[int, float]:
    """Literals and what is computed from literals alone: ``1 + -1``, the derivative of x - x."""
    exact: dict[int, float] = {}
    with np.errstate(all="ignore"):
        for number, instruction in enumerate(kernel.instructions, kernel.loads):
            if instruction.operation is None:
                exact[number] = instruction.literal
            elif all(o in exact for o in instruction.operands):
                operands = [np.float64(exact[o]) for o in instruction.operands]
                exact[number] = float(instruction.operation.evaluate(*operands))
    return exact


def _exact_fact(number: float) -> int:
    return ZERO if number == 0.0 else NONZERO


def _evaluate(launch: Launch, demand: _Demand, facts: Mapping[int, Fact]) -> dict[int, Fact]:
    """Facts of the wanted outputs of a linearized kernel; of those left out nothing is known."""
    kernel = launch.linearized
    found: dict[int, Fact] = {}
    for k, load in enumerate(launch.loads):
        if k in demand.values:
            found[k] = _read(facts.get(load.buffer, UNKNOWN), load.address)
    exact = _exact_values(kernel) if demand.values else {}
    last = {o: t for t, i in enumerate(kernel.instructions) if kernel.loads + t in demand.values for o in i.operands}
    for t, instruction in enumerate(kernel.instructions):
        number = kernel.loads + t
        if number not in demand.values:
            continue
        if number in exact:
            found[number] = _exact_fact(exact[number])
        elif instruction.operation is not None:
            operands = [found.get(o, UNKNOWN) for o in instruction.operands]
            result = _table(instruction.operation)[_index(operands)]
            found[number] = result if isinstance(result, np.ndarray) else int(result)
        for o in instruction.operands:
            if last[o] == t and o not in kernel.outputs:
                found.pop(o, None)
    return found


def _read(fact: Fact, address: Address) -> Fact:
    """The facts of a buffer at the points of a box."""
    if isinstance(fact, int):
        return fact
    if isinstance(address, Table):
        return fact[address.places]
    if address.points == 0:
        return UNKNOWN
    places: npt.NDArray[np.uint8] = np.ndarray(address.box, np.uint8, fact.data, address.offset, address.strides)
    return places.reshape(-1)


def _mask(launch: Launch, found: Mapping[int, Fact]) -> npt.NDArray[np.bool_] | None:
    columns = [found.get(o, UNKNOWN) for o in launch.linearized.outputs[1:]]
    if all(isinstance(fact, int) and fact & NONZERO for fact in columns):
        return None
    mask = np.empty((launch.points, len(columns)), dtype=np.bool_)
    for j, fact in enumerate(columns):
        mask[:, j] = np.bitwise_and(fact, NONZERO) != 0
    return None if mask.all() else mask


def _store(launch: Launch, fact: Fact, schedule: Schedule, unwritten: Container[int], facts: dict[int, Fact]) -> None:
    """Note what a launch stores; a sum is zero where all its terms are."""
    target, size = launch.store.buffer, schedule.sizes[launch.store.buffer]
    if isinstance(fact, int) and launch.indptr is None and launch.points:
        if launch.reduced:
            fact = UNKNOWN if fact & NONZERO else VOID
        known = facts.get(target, UNKNOWN)
        is_open = fact == UNKNOWN and target not in unwritten and isinstance(known, int) and known == UNKNOWN
        if is_open or covers(launch.store.address, size):
            facts[target] = fact
            return
    elif launch.is_sum:
        counts = np.zeros(launch.points + 1, dtype=np.int64)
        np.cumsum(np.broadcast_to(np.bitwise_and(fact, NONZERO) != 0, (launch.points,)), out=counts[1:])
        bounds = counts[launch.row_bounds]
        fact = np.where(bounds[1:] > bounds[:-1], np.uint8(UNKNOWN), np.uint8(VOID))
    before = facts.get(target)
    if before is None or isinstance(before, int):
        before = facts[target] = np.full(size, ZERO if before is None else before, dtype=np.uint8)
    before[launch.store.address.table()] = fact


def _index(facts: Iterable[Fact]) -> Any:
    """Place of a combination of facts in a table."""
    index: Any = 0
    for fact in facts:
        index = 4 * index + fact
    return index


@cache
def _table(operation: Operation) -> npt.NDArray[np.uint8]:
    """Fact of the result for each combination of facts of the operands."""
    table = np.full(4**operation.arity, UNKNOWN, dtype=np.uint8)
    rule = _RULES.get(operation.name)
    for facts in product((VOID, ZERO, NONZERO, UNKNOWN), repeat=operation.arity):
        known = rule(*facts) if rule is not None else UNKNOWN
        if known == UNKNOWN and _ZEROS.issuperset(facts):
            known = _at_zeros(operation, facts)
        table[_index(facts)] = known
    return table


def _at_zeros(operation: Operation, facts: tuple[int, ...]) -> int:
    """Fact of an operation all of whose operands are zero, of either sign, or void."""
    numbers = [[0.0, -0.0, np.nan] if fact == VOID else [0.0, -0.0] for fact in facts]
    with np.errstate(all="ignore"):
        results = np.array(
            [operation.evaluate(*map(np.float64, zeros)) for zeros in product(*numbers)], dtype=np.float64
        )
    zero = results == 0.0
    if not zero.any():
        return NONZERO
    if zero.all():
        return ZERO
    return VOID if np.all(zero | np.isnan(results)) else UNKNOWN


def _either(a: int, b: int) -> int:
    if a == b:
        return a
    return VOID if _ZEROS.issuperset((a, b)) else UNKNOWN


def _same(a: int) -> int:
    return a


def _sum(a: int, b: int) -> int:
    if ZERO in (a, b):
        return b if a == ZERO else a
    return NONZERO if {a, b} == {VOID, NONZERO} else UNKNOWN


def _product(a: int, b: int) -> int:
    if a == b == ZERO:
        return ZERO
    return (
        UNKNOWN if _ZEROS.isdisjoint((a, b)) else VOID
    )  # a product of others may underflow, so that it is not NONZERO


def _quotient(a: int, b: int) -> int:
    return VOID if a in _ZEROS and b not in _ZEROS else UNKNOWN


def _select(condition: int, a: int, b: int) -> int:
    return {NONZERO: a, ZERO: b}.get(condition, _either(a, b))


def _not(a: int) -> int:
    return {ZERO: NONZERO, NONZERO: ZERO}.get(a, UNKNOWN)


def _and(a: int, b: int) -> int:
    if ZERO in (a, b):
        return ZERO
    return NONZERO if a == b == NONZERO else UNKNOWN


def _equal(a: int, b: int) -> int:
    if a == b == ZERO:
        return NONZERO
    return ZERO if {a, b} == {ZERO, NONZERO} else UNKNOWN


_RULES: dict[str, Callable[..., int]] = {
    "copy": _same,
    "stop": _same,
    "hold": _same,
    "derived": lambda value, surrogate: value,
    "negative": _same,
    "absolute": _same,
    "sign": _same,
    "sqrt": _same,
    "add": _sum,
    "subtract": _sum,
    "multiply": _product,
    "divide": _quotient,
    "floor_divide": _quotient,
    "remainder": _quotient,
    "copysign": lambda a, b: a,
    "power": lambda a, b: NONZERO if b == ZERO else UNKNOWN,
    "power_slope": lambda a, b: VOID if b in _ZEROS else UNKNOWN,
    "arctan2_slope": lambda a, b: VOID if a in _ZEROS else UNKNOWN,
    "select": _select,
    "logical_not": _not,
    "logical_and": _and,
    "logical_or": lambda a, b: _not(_and(_not(a), _not(b))),
    "equal": _equal,
    "not_equal": lambda a, b: _not(_equal(a, b)),
}
"""What is known beyond "all operands are zero"; a rule may answer UNKNOWN."""
