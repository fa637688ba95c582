"""Finer chains than the order of f shows: where they may pay, cuts are looked for over all orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kernels.distinct import count_distinct
from sparsejac.inverse.flows import Bottleneck, Levels, levels_of, network_of
from sparsejac.inverse.liveness import Liveness
from sparsejac.inverse.lumps import steps_between, walked
from sparsejac.inverse.reordering import OrderError, reordered
from sparsejac.inverse.selection import Stretch
from sparsejac.inverse.signatures import signature_of
from sparsejac.programs.program import Program

Ints = npt.NDArray[np.int64]

WORTH = 60e-6
"""Predicted seconds of a lump from which cuts are looked for inside of it."""

MOST_LUMPS = 16
"""Lumps, unlike each other, in which cuts are looked for."""


MOST_PARTS = 1_000
"""Parts of nodes of the largest Program that is put into another order: each is a launch."""


class BottleneckError(Exception):
    """Everything goes through fewer numbers than there are unknowns, though they are not alive at one time.

    Parameters
    ----------
    liveness : Liveness
    bottleneck : Bottleneck
    """

    def __init__(self, liveness: Liveness, bottleneck: Bottleneck) -> None:
        super().__init__(liveness, bottleneck)
        self.liveness = liveness
        self.bottleneck = bottleneck


def refined(liveness: Liveness, stretches: Sequence[Stretch], *, everywhere: bool) -> Program | None:
    """The Program in an order with more cuts; None where none were found, or none were looked for.

    Parameters
    ----------
    liveness : Liveness
    stretches : sequence of Stretch
        The finest chain of the given order.
    everywhere : bool
        Whether to look where nothing is expected to be gained, too.

    Raises
    ------
    BottleneckError
    """
    times = [-1, *(stretch.stop for stretch in stretches)]
    lumps, states = walked(liveness, times)
    known: dict[object, Levels | Bottleneck | None] = {}
    alive: dict[int, tuple[Ints, Ints]] = {}
    for stretch, lump, state in zip(stretches, lumps, states, strict=False):
        steps = list(steps_between(liveness.steps, lump.start, lump.stop))
        partials = sum(step.launch.points * len(step.launch.active) for step in steps)
        dense = stretch.seconds > WORTH and 2 * stretch.rows.nnz > partials
        if len(steps) < 2 or lump.size < 2 or not (everywhere or dense):
            continue
        key = signature_of(liveness, lump, state, steps)
        if key not in known and len(known) == MOST_LUMPS:
            continue
        network = network_of(liveness, lump, state, steps)
        if network is None:
            continue
        found = known[key] = known[key] if key in known else levels_of(network)
        if isinstance(found, Bottleneck):
            raise BottleneckError(liveness, found)
        if found is not None and int(found.of.max()) > 1:
            made = slice(network.used, None)
            _note(alive, liveness, network.buffers[made], network.places[made], found.of[made])
    parts = sum(count_distinct(levels) for _, levels in alive.values())
    if not alive or parts > MOST_PARTS:
        return None
    belongs = np.searchsorted(np.array(times[1:]), np.arange(liveness.end))
    try:
        return reordered(liveness.program, belongs, alive)
    except OrderError:
        return None


def _note(alive: dict[int, tuple[Ints, Ints]], liveness: Liveness, buffers: Ints, places: Ints, levels: Ints) -> None:
    """The levels of the numbers of a lump, by node."""
    for buffer in np.unique(buffers).tolist():
        mine = buffers == buffer
        alive[liveness.births[buffer]] = places[mine], levels[mine]
