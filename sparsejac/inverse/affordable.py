"""How many entries the local Jacobian of a lump has, estimated before it is made: what no memory holds is refused.

Each number of the state gets random ranks, and each number of the lump the least ranks of those that it depends on: of
m exponentially distributed ranks the least has the mean 1/m.

Cohen: Size-estimation framework with applications to transitive closure and reachability, Journal of Computer and
System Sciences 55(3), 1997.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.errors import InputError
from sparsejac.inverse.liveness import Liveness, Step
from sparsejac.inverse.lumps import HELD, Lump, State
from sparsejac.location import line_of
from sparsejac.patterns import room

LOCATION = Lazy("sparsejac.location")

FEWEST = 1 << 16
"""Partial derivatives of a lump from which its entries may fill the memory."""

RANKS = 8
"""Ranks in one pass."""

PASSES = 4

_DECIDED = 8.0
"""How far below the bound, or above it, one pass is believed."""

_SURE = 1.25
"""How far above it all of them are."""


def check_affordable(liveness: Liveness, lump: Lump, state: State, steps: Sequence[Step]) -> None:
    """Refuse a lump whose local Jacobian takes much more than the memory of the machine.

    Raises
    ------
    InputError
        With the number of entries, and what to do instead.
    """
    partials = sum(step.launch.points * len(step.launch.active) for step in steps)
    most = room.memory() // HELD
    size = liveness.schedule.sizes[liveness.schedule.x]
    if len(steps) < 2 or partials < FEWEST or lump.size * size < most or _most_entries(lump, state, steps, size) < most:
        return
    random, least = np.random.default_rng(0), np.zeros(lump.size)
    for k in range(1, PASSES + 1):
        least += _least_ranks(liveness, lump, state, steps, random)
        with np.errstate(divide="ignore"):
            entries = float(np.where(least > 0.0, np.minimum((RANKS * k - 1) / least, size), 0.0).sum())
        if entries < most / _DECIDED:
            return
        if entries > most * _DECIDED:
            break
    if entries <= _SURE * most:
        return
    line = line_of(liveness.program.sites[lump.stop])
    raise InputError(
        f"inverse products: a part of f makes {lump.size} numbers whose derivatives by those before it have about "
        f"{entries:.1e} entries, which take {entries * HELD / 2**30:.0f} GiB; this machine has "
        f"{room.memory() / 2**30:.0f}\n  {line or LOCATION.user_location()}\n  Cure: let no later line read what is "
        "older than these numbers, so that f falls into parts with fewer entries; or solve for the product by an "
        "iterative method: scipy.sparse.linalg.gmres(jacobian_operator(f, x), v)."
    )


def _most_entries(lump: Lump, state: State, steps: Sequence[Step], size: int) -> int:
    """A bound that takes no time: as if the numbers that one is made of had no dependence in common."""
    longest = dict.fromkeys(state, 1)
    for step in steps:
        launch = step.launch
        terms = int(np.diff(launch.row_bounds).max(initial=0)) if launch.is_sum else 1
        read = terms * sum(longest.get(launch.loads[k].buffer, 0) for k in launch.active)
        longest[launch.store.buffer] = min(longest.get(launch.store.buffer, 0) + read, size)
    return sum(len(places) * longest.get(buffer, 0) for buffer, places in lump.fresh)


def _least_ranks(
    liveness: Liveness, lump: Lump, state: State, steps: Sequence[Step], random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """For each number of the lump the sum of its least ranks; 0 for one that depends on none."""
    sizes = liveness.schedule.sizes
    ranks = random.exponential(size=(sizes[liveness.schedule.x], RANKS)).astype(np.float32)
    found: dict[int, npt.NDArray[np.float32]] = {}
    for buffer, (places, slots) in state.items():
        found[buffer] = _unreached(sizes[buffer])
        found[buffer][places] = ranks[slots]
    readers = {step.launch.loads[k].buffer: time for time, step in enumerate(steps) for k in step.launch.active}
    kept = {buffer for buffer, _ in lump.fresh}
    for time, step in enumerate(steps):
        target = step.launch.store.buffer
        if target not in found:
            found[target] = _unreached(sizes[target])
        for buffer, places, rows in step.edges():
            if buffer not in found:
                continue
            read = found[buffer].take(places, axis=0)
            if step.launch.is_sum and len(rows):  # the points of a row follow each other
                starts = np.flatnonzero(np.diff(rows, prepend=-1))
                rows, read = rows[starts], np.minimum.reduceat(read, starts, axis=0)
            own = found[target].take(rows, axis=0)
            found[target][rows] = np.minimum(own, read, out=own)
        for buffer in {step.launch.loads[k].buffer for k in step.launch.active} - kept:
            if readers[buffer] == time:  # ranks of all numbers together would be many times the memory of f
                found.pop(buffer, None)
    least = np.concatenate([found[buffer][places] for buffer, places in lump.fresh])
    total: npt.NDArray[np.float64] = np.where(np.isfinite(least), least, 0.0).sum(axis=1, dtype=np.float64)
    return total


def _unreached(size: int) -> npt.NDArray[np.float32]:
    return np.full((size, RANKS), np.inf, dtype=np.float32)
