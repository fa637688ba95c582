"""Running sums, which tracing writes as sums over ever wider distances: found again, they are undone by differences.

After k steps each number of a running sum holds 2**k terms, so that it is (I + N)(I + N²)(I + N⁴)... z, where N takes
each place to the one before it and none is left after the last step. That product is the inverse of I - N. A Program in
which the running sum has the derivative of z alone has a lump there, a permutation, whose true inverse is known: the
differences of neighbours.

Hillis and Steele, Data parallel algorithms, Communications of the ACM 29(12), 1986.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine
from sparsejac.inverse.liveness import Liveness
from sparsejac.inverse.lumps import Lump, steps_between, walked
from sparsejac.location import NOWHERE
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import contiguous, recognised
from sparsejac.programs.program import Decision, Graph, Load, Node, Program, program
from sparsejac.transforms.builder import copy_of

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RunningSum:
    """Sums of what stands before each place along lines.

    Parameters
    ----------
    source : Node
    places : array of int
        The terms, elements of `source`.
    before : array of int
        For each term the one before it, -1 for the first ones.
    nodes : tuple of Node
        Those that compute it, in order; the last is the running sum.
    """

    source: Node
    places: Ints
    before: Ints
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class _Step:
    """A join of numbers that stay and numbers to which others are added; which ones, for each place (-1: none)."""

    earlier: Node
    own: Ints
    other: Ints
    nodes: tuple[Node, ...]


def running_sums(given: Program) -> list[RunningSum]:
    """Those in a Program, none of them within another, in its order."""
    found: list[RunningSum] = []
    inside: set[int] = set()
    for node in reversed(given.nodes):
        if node.active and node.index not in inside:
            one = _running_sum(node)
            if one is not None:
                found.append(one)
                inside.update(part.index for part in one.nodes)
    return found[::-1]


def _running_sum(node: Node) -> RunningSum | None:
    """What ends in a node."""
    step = _step(node)
    if step is None or step.other.max(initial=-1) >= node.size:  # it adds what stands nowhere among its results
        return None
    if _composed(step.other, step.other).max(initial=-1) >= 0:
        return None
    steps = [step]
    while (below := _step(steps[-1].earlier)) is not None and _is_half(below, steps[-1]):
        steps.append(below)
    if len(steps) < 2:
        return None
    first = steps[-1]
    before = _neighbours(first)
    assert before is not None
    nodes = tuple(part for step in reversed(steps) for part in step.nodes)
    return RunningSum(first.earlier, first.own, before, nodes)


def _is_half(below: _Step, step: _Step) -> bool:
    """Whether a step adds over half the distance, on the way to another one, which leaves all numbers in place."""
    before = _neighbours(below)
    if before is None or len(before) != len(step.own) or not _is_in_place(step.own):
        return False
    return np.array_equal(_composed(before, before), step.other)


def _neighbours(step: _Step) -> Ints | None:
    """For each place the one whose number is added; None where that is the number of no place, or of several."""
    before = step.other
    if len(step.own) != step.earlier.size or not _is_in_place(step.own):
        place = np.full(step.earlier.size, -1, dtype=np.int64)
        place[step.own] = np.arange(len(step.own))
        before = np.where(before < 0, -1, place[before])
    taken = np.bincount(before[before >= 0], minlength=1)
    is_found = np.array_equal(before < 0, step.other < 0)
    return before if is_found and taken.max() <= 1 else None


def _composed(outer: Ints, inner: Ints) -> Ints:
    return np.where(outer < 0, -1, inner[outer])


def _step(node: Node) -> _Step | None:
    """A join as a step; None where it is something else."""
    if node.kind != "join" or len(node.pieces) != 2:
        return None
    staying, summed = node.pieces
    added, earlier = summed.load.node, staying.load.node
    if added.primitive is not PRIMITIVES["add"] or any(load.node is not earlier for load in added.loads):
        return None
    if staying.store.points + summed.store.points != node.size:  # a place without a piece, or with two
        return None
    kept, places, points = _index(staying.store), _index(summed.store), _index(summed.load.address)
    left, right = (np.asarray(load.address.table(), dtype=np.int64)[points] for load in added.loads)
    own = np.full(node.size, -1, dtype=np.int64)
    own[kept] = staying.load.address.table()
    for first, second in ((left, right), (right, left)):  # the operands of a sum stand in any order
        own[places] = second
        if own.min(initial=0) == 0 and (_is_in_place(own) or np.bincount(own).max(initial=0) <= 1):
            other = np.full(node.size, -1, dtype=np.int64)
            other[places] = first
            return _Step(earlier, own, other, (added, node))
    return None


def _index(address: Address) -> Any:
    """The places of an address as an index: a slice, where they follow each other, takes a tenth of the time."""
    if isinstance(address, Affine) and len(address.box) == 1 and address.strides == (1,):
        return slice(address.offset, address.offset + address.points)
    return address.table()


def _is_in_place(own: Ints) -> bool:
    return np.array_equal(own, np.arange(len(own)))


def with_derivatives_of_terms(given: Program, sums: Iterable[RunningSum]) -> tuple[Program, dict[int, Ints]]:
    """The Program in which running sums have the derivatives of their terms, and these nodes, with their `before`.

    Parameters
    ----------
    given : Program
    sums : iterable of RunningSum

    Returns
    -------
    program : Program
        With the same inputs and constants, in the same order, and the same values.
    marked : dict
        By the index of a node.
    """
    by_last = {one.nodes[-1].index: one for one in sums}
    graph, made, marked = Graph(), dict[int, Node](), dict[int, Ints]()
    graph.site = NOWHERE
    inputs = [graph.input(size, active=k == 0) for k, size in enumerate(given.input_sizes)]
    constants = [graph.placeholder(size) for size in given.constant_sizes]
    slots = dict(zip(given.constants, constants, strict=True))
    sites = given.sites or (NOWHERE,) * len(given.nodes)
    for node, site in zip(given.nodes, sites, strict=True):
        graph.site = site
        if node.kind in ("input", "constant"):
            made[node.index] = inputs[node.slot] if node.kind == "input" else slots[node.slot]
        elif node.index in by_last:
            made[node.index] = _marked(graph, by_last[node.index], made)
            marked[made[node.index].index] = by_last[node.index].before
        else:
            made[node.index] = copy_of(graph, node, made)
    graph.site = NOWHERE
    decisions = [Decision(made[d.node.index], d.expected, d.sites) for d in given.decisions]
    return program(graph, made[given.output.index], decisions), marked


def _marked(graph: Graph, one: RunningSum, made: Mapping[int, Node]) -> Node:
    source, whole = made[one.source.index], contiguous((one.source.size,))
    still = {one.source.index: graph.map(PRIMITIVES["stop"], (source.size,), (Load(source, whole),))}
    for node in one.nodes:
        still[node.index] = copy_of(graph, node, still)
    size = len(one.before)
    value, terms = Load(still[one.nodes[-1].index], contiguous((size,))), Load(source, recognised(one.places))
    return graph.map(PRIMITIVES["derived"], (size,), (value, terms))


def undone(liveness: Liveness, lump: Lump) -> Ints | None:
    """Of a lump that is nothing but a running sum its `before`; None for others."""
    if len(lump.fresh) != 1 or lump.fresh[0][0] not in liveness.running:
        return None
    buffer, places = lump.fresh[0]
    before = liveness.running[buffer]
    steps = steps_between(liveness.steps, lump.start, lump.stop)
    return before if len(places) == len(before) and len(list(steps)) == 1 else None


def unplaced(liveness: Liveness, times: Sequence[int]) -> set[int]:
    """The running sums, by buffer, that are no lumps of their own between cuts at these times."""
    lumps, _ = walked(liveness, times)
    return set(liveness.running) - {lump.fresh[0][0] for lump in lumps if undone(liveness, lump) is not None}
