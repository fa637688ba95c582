"""What of the Jacobian depends on x: found on structure, before any number is computed.

A local partial is constant if no load of its expression comes from x or from another input that changes between calls.
A path from x to an output is constant if all its partials are. A load is settled if every path through it is constant:
without the settled loads a schedule computes a smaller Jacobian, and what these add is the same at every x.

The sum of both parts is the Jacobian. Nothing is ever subtracted: no digit is lost, no infinity spoils another part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kernels.kernel import Kernel, KernelBuilder
from kernels.records import dataclass, replace
from kernels.step import Access, Launch, Schedule
from sparsejac.patterns.pattern import entry_numbers
from sparsejac.patterns.sparsity import Live, detect

T = TypeVar("T")
Slots = tuple[tuple[int, ...], ...]
"""For each launch, some of its active loads: positions in `Launch.active`."""


@dataclass(frozen=True, eq=False)
class Split:
    """A schedule in two parts, whose Jacobians add up to its own.

    Parameters
    ----------
    varying : Schedule
        Without the settled loads.
    varying_slots : tuple of tuple of int
        For each launch the active loads that are left.
    constant : Schedule
        What the settled loads add.
    constant_slots : tuple of tuple of int
    operands : tuple of int
        The inputs, by position, on whose values the constant part depends.
    """

    varying: Schedule
    varying_slots: Slots
    constant: Schedule
    constant_slots: Slots
    operands: tuple[int, ...]

    @property
    def linear(self) -> bool:
        """Whether nothing varies."""
        return not any(self.varying_slots)


def split(schedule: Schedule, changing: int) -> Split | None:
    """Take the constant part out of a schedule; None where there is none, or none that can be told apart.

    Parameters
    ----------
    schedule : Schedule
    changing : int
        Number of inputs, x the first of them, that may be others at each call.
    """
    constant = constant_partials(schedule, changing)
    upstream, downstream = _upstream(schedule, constant), _downstream(schedule, constant)

    def settled(launch: Launch, slot: int, partial: bool) -> bool:
        return partial and upstream[launch.loads[launch.active[slot]].buffer] and downstream[launch.store.buffer]

    pairs = list(zip(schedule.launches, constant, strict=True))
    dropped = tuple(
        tuple(j for j, partial in enumerate(partials) if settled(launch, j, partial)) for launch, partials in pairs
    )
    if not any(dropped) or not downstream[schedule.output]:
        return None
    left = tuple(
        tuple(j for j in range(len(launch.active)) if j not in gone)
        for launch, gone in zip(schedule.launches, dropped, strict=True)
    )
    added = _added(schedule, constant, dropped, upstream)
    return Split(
        with_slots(schedule, left), left, with_slots(schedule, added), added, _operands(schedule, added, changing)
    )


def constant_partials(schedule: Schedule, changing: int) -> list[list[bool]]:
    """For each launch and each active load, whether the local partial is the same at every call."""
    changes = _changing_buffers(schedule, changing)
    return [
        [not any(changes[launch.loads[k].buffer] for k in _loads_of(launch.linearized, [o])) for o in _partials(launch)]
        for launch in schedule.launches
    ]


def varying_entries(schedule: Schedule, changing: int, live: Live | None = None) -> npt.NDArray[np.bool_]:
    """Which entries of the Jacobian, in CSR order, may depend on the inputs that change.

    A path is followed twice: as any path, and as one that has met a partial that varies. Buffers of the second sort
    stand behind the others.

    Parameters
    ----------
    schedule : Schedule
    changing : int
        See `split`.
    live : tuple of (array of bool or None), optional
        See `sparsity.detect`.

    Examples
    --------
    >>> from sparsejac.schedules.fusion import schedule as lower
    >>> from sparsejac.tracing import run
    >>> def f(x):
    ...     return x[1:] ** 2 - x[:-1]
    >>> traced = run(f, [np.ones(3)], [0])
    >>> varying_entries(lower(traced.program), 1).tolist()
    [False, True, False, True]
    """
    constant = constant_partials(schedule, changing)
    pattern = detect(schedule, live).pattern
    if not any(not partial for partials in constant for partial in partials):
        return np.zeros(pattern.nnz, dtype=np.bool_)
    count, masks = len(schedule.sizes), live or (None,) * len(schedule.launches)
    launches: list[Launch] = []
    kept: list[npt.NDArray[np.bool_] | None] = []
    for launch, partials, mask in zip(schedule.launches, constant, masks, strict=True):
        launches += [launch, _behind(launch, partials, schedule.x, count)]
        kept += [mask, _columns(mask, _followed(launch, partials, schedule.x))]
    doubled = replace(schedule, sizes=schedule.sizes * 2, launches=tuple(launches), output=schedule.output + count)
    found = detect(doubled, tuple(kept)).pattern
    return np.asarray(np.isin(entry_numbers(pattern), entry_numbers(found), assume_unique=True))


def with_slots(schedule: Schedule, slots: Slots) -> Schedule:
    """A schedule some of whose loads alone are active."""
    launches = [_with_active(launch, chosen) for launch, chosen in zip(schedule.launches, slots, strict=True)]
    return replace(schedule, launches=tuple(launches))


def busy_launches(schedule: Schedule) -> list[int]:
    """The launches, by number, on whose values some partial derivative or decision depends."""
    active = {number for number, launch in enumerate(schedule.launches) if launch.active}
    launches = [schedule.launches[number] for number in active]
    loads = (launch.loads[k] for launch in launches for k in _loads_of(launch.linearized, _partials(launch)))
    return sorted(active | schedule.needed(load.buffer for load in loads))


def restrict(live: Live, slots: Slots) -> Live:
    """Which partials may be other than zero, for some of the active loads."""
    return tuple(_columns(mask, chosen) for mask, chosen in zip(live, slots, strict=True))


def _columns(mask: npt.NDArray[np.bool_] | None, slots: tuple[int, ...]) -> npt.NDArray[np.bool_] | None:
    return None if mask is None else np.ascontiguousarray(mask[:, list(slots)])


def _partials(launch: Launch) -> tuple[int, ...]:
    return launch.linearized.outputs[1:] if launch.active else ()


def _changing_buffers(schedule: Schedule, changing: int) -> list[bool]:
    """Whether some number of a buffer may be another one at the next call."""

    def once(changes: list[bool]) -> None:
        calls = list(schedule.calls)

        def call_until(position: int) -> None:
            while calls and calls[0].position <= position:
                call = calls.pop(0)
                changes[call.buffer] |= any(changes[load.buffer] for load in call.loads)

        for position, launch in enumerate(schedule.launches):
            call_until(position)
            changes[launch.store.buffer] |= any(changes[load.buffer] for load in launch.loads)
        call_until(len(schedule.launches))

    return _settled(schedule, [b in schedule.inputs[:changing] for b in range(len(schedule.sizes))], once)


def _settled(schedule: Schedule, found: list[T], once: Callable[[list[T]], None]) -> list[T]:
    """What is found by going through all launches: once, or as often as turns of loops bring something new."""
    before: list[T] = []
    while found != before:
        before = list(found)
        once(found)
        if not schedule.has_loops:
            break
    return found


def _loads_of(kernel: Kernel, outputs: Iterable[int]) -> set[int]:
    """The loads that outputs of a kernel are computed from."""
    reached = set(outputs)
    for t in range(len(kernel.instructions) - 1, -1, -1):
        if kernel.loads + t in reached:
            reached.update(kernel.instructions[t].operands)
    return {value for value in reached if value < kernel.loads}


def _upstream(schedule: Schedule, constant: list[list[bool]]) -> list[bool]:
    """Whether all paths from x to a buffer are constant."""

    def once(found: list[bool]) -> None:
        for launch, partials in zip(schedule.launches, constant, strict=True):
            for k, partial in zip(launch.active, partials, strict=True):
                found[launch.store.buffer] &= partial and found[launch.loads[k].buffer]

    return _settled(schedule, [True] * len(schedule.sizes), once)


def _downstream(schedule: Schedule, constant: list[list[bool]]) -> list[bool]:
    """Whether all paths from a buffer to the output are constant; never for an output that is loaded again."""

    def once(found: list[bool]) -> None:
        for launch, partials in zip(reversed(schedule.launches), reversed(constant), strict=True):
            for k, partial in zip(launch.active, partials, strict=True):
                loaded = launch.loads[k].buffer
                found[loaded] &= partial and found[launch.store.buffer] and loaded != schedule.output

    return _settled(schedule, [True] * len(schedule.sizes), once)


def _added(schedule: Schedule, constant: list[list[bool]], dropped: Slots, upstream: list[bool]) -> Slots:
    """The loads of the constant part: all paths that pass a settled load, and no others.

    What leads to a settled load is constant altogether; what follows on one is followed in buffers that also hold what
    varies, where other paths have to be left out.
    """
    slots: list[tuple[int, ...]] = []

    def once(reached: list[bool]) -> None:
        slots.clear()
        for launch, partials, gone in zip(schedule.launches, constant, dropped, strict=True):
            buffers = [launch.loads[k].buffer for k in launch.active]
            if upstream[launch.store.buffer]:
                slots.append(tuple(range(len(buffers))))
                continue
            chosen = [j for j, b in enumerate(buffers) if j in gone or (partials[j] and reached[b] and not upstream[b])]
            reached[launch.store.buffer] |= bool(chosen)
            slots.append(tuple(chosen))

    _settled(schedule, [False] * len(schedule.sizes), once)
    return _needed(schedule, slots)


def _needed(schedule: Schedule, slots: list[tuple[int, ...]]) -> Slots:
    """Without the loads that lead to nothing."""
    found: list[tuple[int, ...]] = []

    def once(needed: list[bool]) -> None:
        found.clear()
        for launch, chosen in zip(reversed(schedule.launches), reversed(slots), strict=True):
            kept = chosen if needed[launch.store.buffer] else ()
            for j in kept:
                needed[launch.loads[launch.active[j]].buffer] = True
            found.append(kept)

    _settled(schedule, [b == schedule.output for b in range(len(schedule.sizes))], once)
    return tuple(reversed(found))


def _operands(schedule: Schedule, slots: Slots, changing: int) -> tuple[int, ...]:
    """The inputs, by position, that the partials of some loads are computed from."""
    wanted: set[int] = set()
    for launch, chosen in zip(schedule.launches, slots, strict=True):
        partials = _partials(launch)
        wanted.update(launch.loads[k].buffer for k in _loads_of(launch.linearized, [partials[j] for j in chosen]))
    steps = [(k + 0.5, launch.store.buffer, launch.loads) for k, launch in enumerate(schedule.launches)]
    steps += [(float(call.position), call.buffer, call.loads) for call in schedule.calls]

    def once(needed: list[bool]) -> None:
        for _, buffer, loads in sorted(steps, key=_first, reverse=True):
            for load in loads:
                needed[load.buffer] |= needed[buffer]

    needed = _settled(schedule, [b in wanted for b in range(len(schedule.sizes))], once)
    return tuple(k for k, b in enumerate(schedule.inputs) if k >= changing and needed[b])


def _first(step: tuple[float, int, tuple[Access, ...]]) -> float:
    return step[0]


def _with_active(launch: Launch, slots: tuple[int, ...]) -> Launch:
    """A launch with some of its active loads."""
    if len(slots) == len(launch.active):
        return launch
    if not slots:
        return replace(launch, linearized=launch.kernel, active=())
    kernel = launch.linearized
    builder = KernelBuilder(kernel.loads)
    values = builder.replay(kernel, range(kernel.loads))
    outputs = [values[o] for o in (kernel.outputs[0], *(kernel.outputs[1 + j] for j in slots))]
    return replace(launch, linearized=builder.build(*outputs), active=tuple(launch.active[j] for j in slots))


def _followed(launch: Launch, partials: list[bool], x: int) -> tuple[int, ...]:
    """The loads through which a path that has met a varying partial may come: x itself is the start of every path."""
    return tuple(j for j, k in enumerate(launch.active) if not (partials[j] and launch.loads[k].buffer == x))


def _behind(launch: Launch, partials: list[bool], x: int, count: int) -> Launch:
    """A launch that follows the paths that have met a varying partial."""
    slots = _followed(launch, partials, x)
    moved = {launch.active[j] for j in slots if partials[j]}
    loads = tuple(
        Access(load.buffer + count, load.address) if k in moved else load for k, load in enumerate(launch.loads)
    )
    store = Access(launch.store.buffer + count, launch.store.address)
    return replace(_with_active(launch, slots), loads=loads, store=store)
