"""The finest chain over all orders of the operations: minimum vertex cuts, by maximum flow.

The order in which f was written may hide cuts: two halves that are widened and narrowed in turns are never narrow at
one time, though each of them could be finished before the other. In a lump that replaces m numbers there are m paths
from the old ones to the new ones that have no number in common, and a cut of m numbers meets each of them once. All
such cuts are closed sets of the residual graph of the paths. With edges from each number to those that it is computed
from they are those that some order goes through, and a maximal chain of them goes from one strong component to the
next; here components that need equally long chains of others before them are one level.

References
----------
Picard and Queyranne: On the structure of all minimum cuts in a network, Mathematical Programming Study 13, 1980.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

from sparsejac.inverse.liveness import NEVER, Liveness, Step
from sparsejac.inverse.lumps import Lump, State

Ints = npt.NDArray[np.int64]

MOST_EDGES = 300_000
"""Partial derivatives of the largest lump in which cuts are looked for: a second or two of maximum flow."""

MOST_LEVELS = 256

_SOURCE, _SINK = 0, 1
_WIDE = 2
"""Capacity of what may not be cut: no number carries more than one path."""


@dataclass(frozen=True, eq=False)
class Network:
    """The numbers of a lump, and which are read for which.

    Parameters
    ----------
    buffers, places : array of int
        Of each number: first those that the lump uses up, then those that it makes.
    tails, heads : array of int
        For each partial derivative the number that is read and the one that it adds to.
    used : int
        How many are used up.
    fresh : array of int
        Those that are left behind the lump.
    """

    buffers: Ints
    places: Ints
    tails: Ints
    heads: Ints
    used: int
    fresh: Ints


@dataclass(frozen=True, eq=False)
class Levels:
    """For each number of a network the level on which it is made, from 0 for those that are used up."""

    network: Network
    of: Ints


@dataclass(frozen=True, eq=False)
class Bottleneck:
    """Fewer numbers than a lump replaces, through which everything goes.

    Parameters
    ----------
    network : Network
    numbers : array of int
    """

    network: Network
    numbers: Ints


def network_of(liveness: Liveness, lump: Lump, state: State, steps: Sequence[Step]) -> Network | None:
    """The network of a lump; None if it is too large. Numbers that pass the lump by are no part of it."""
    sizes = liveness.schedule.sizes
    replaced = np.zeros(sizes[liveness.schedule.x], dtype=np.bool_)
    replaced[lump.slots] = True
    numbers: dict[int, Ints] = {}
    buffers: list[Ints] = []
    places_of: list[Ints] = []
    count = 0

    def add(buffer: int, places: Ints) -> None:
        nonlocal count
        known = numbers.setdefault(buffer, np.full(sizes[buffer], -1, dtype=np.int64))
        known[places] = np.arange(count, count + len(places))
        buffers.append(np.full(len(places), buffer))
        places_of.append(places)
        count += len(places)

    for buffer, (places, slots) in state.items():
        add(buffer, places[replaced[slots]])
    used = count
    for step in steps:
        target = step.launch.store.buffer
        if target not in numbers:
            add(target, liveness.alive_after(target, NEVER))
    tails, heads, total = [], [], 0
    for step in steps:
        for buffer, places, rows in step.edges():
            total += len(places)
            if total > MOST_EDGES:
                return None
            if buffer in numbers:
                tail, head = numbers[buffer][places], numbers[step.launch.store.buffer][rows]
                kept = (tail >= 0) & (head >= 0)
                tails.append(tail[kept])
                heads.append(head[kept])
    fresh = np.concatenate([numbers[buffer][places] for buffer, places in lump.fresh])
    if not tails:
        return None
    return Network(
        np.concatenate(buffers), np.concatenate(places_of), np.concatenate(tails), np.concatenate(heads), used, fresh
    )


def levels_of(network: Network) -> Levels | Bottleneck | None:
    """The levels between which a network has cuts of as many numbers as it replaces.

    Returns
    -------
    Levels, or Bottleneck
        If there are no such cuts. None where there are too many levels.
    """
    residual, flow = _residual(network)
    size = residual.shape[0]
    if flow < network.used:
        reached = np.zeros(size, dtype=np.bool_)
        reached[breadth_first_order(residual, _SOURCE, return_predecessors=False)] = True
        return Bottleneck(network, np.flatnonzero(reached[2::2] & ~reached[3::2]))
    # What is read is made before: only cuts that some order of the operations goes through are wanted.
    ones = np.ones(len(network.heads), dtype=np.int8)
    closed = residual + csr_array((ones, (2 + 2 * network.heads, 2 + 2 * network.tails)), shape=residual.shape)
    count, labels = connected_components(closed, directed=True, connection="strong")
    tails = np.repeat(np.arange(size), np.diff(closed.indptr))
    below, above = labels[closed.indices], labels[tails]
    between = below != above
    below, above = below[between], above[between]
    level = np.zeros(count, dtype=np.int64)
    for _ in range(MOST_LEVELS):
        deeper = level.copy()
        np.maximum.at(deeper, above, level[below] + 1)
        if np.array_equal(deeper, level):
            entered = level[labels[2::2]]
            base = int(entered[: network.used].max(initial=0))
            found = np.clip(entered, base, int(level[labels[_SINK]])) - base
            found[network.fresh] = np.maximum(found[network.fresh], 1)
            return Levels(network, _dense(found))
        level = deeper
    return None


def _residual(network: Network) -> tuple[Any, int]:
    """The residual graph of a maximum flow through numbers, each of which is an edge of capacity 1, and the flow."""
    count = len(network.buffers)
    into, out = 2 + 2 * np.arange(count), 3 + 2 * np.arange(count)
    tails = np.concatenate([np.full(network.used, _SOURCE), into, out[network.tails], out[network.fresh]])
    heads = np.concatenate([into[: network.used], out, into[network.heads], np.full(len(network.fresh), _SINK)])
    capacity = np.full(len(tails), _WIDE, dtype=np.int32)
    capacity[network.used : network.used + count] = 1
    size = 2 + 2 * count
    graph: Any = csr_array((capacity, (tails, heads)), shape=(size, size))
    graph.data = np.minimum(graph.data, _WIDE)  # several partials between two numbers are one edge
    graph.sort_indices()
    found = maximum_flow(graph, _SOURCE, _SINK)
    residual = csr_array(graph - found.flow)
    residual.data = (residual.data > 0).astype(np.int8)
    residual.eliminate_zeros()
    return residual, int(found.flow_value)


def _dense(levels: Ints) -> Ints:
    """Levels without those on which nothing is made."""
    return np.unique(levels, return_inverse=True)[1].astype(np.int64)
