"""Patches: a few vertices from a dense part, on which an exhaustive search shows that k colors are not enough.

Whatever stands around a patch, a coloring of the whole colors the patch too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from coloring.bipartite import BipartiteGraph
from coloring.bounds.bound import Bound, witnessed
from coloring.bounds.entries import Splits
from coloring.pattern import Index
from coloring.problems import Problem
from coloring.search import PROPER, Instance, Ints64, decide

# Vertices of the patches tried, the first that needs more colors counts.
SIZES = (8, 16, 24, 36, 54, 81, 120)
# Neighbours of a vertex that may join a patch, the first ones.
REACH = 1000


def raise_by_search(
    instance: Instance,
    problem: Problem,
    bound: Bound,
    enough: int,
    visits: int,
    start: int,
    splits: Splits | None = None,
    names: Index | None = None,
) -> Bound:
    """Raise a bound while searches on patches around a vertex refute it, until the visits are spent.

    Larger patches are taken as smaller ones turn out to have a coloring. If the instance is a part only, `names` says
    what its vertices are in the whole.
    """
    if bound.value >= SIZES[-1]:
        return bound
    patches = _patches(instance, start)
    patch = next(patches, None)
    while patch is not None and visits > 0 and bound.value < enough:
        tried = _try(instance.induced(patch), bound.value, visits, splits)
        visits -= tried.visits + len(patch)
        if tried.refuted is None:
            break
        if tried.refuted:
            reason = f"a search tried all colorings of {len(patch)} {problem.vertices} with {bound.value} colors"
            witness = patch if names is None else names[patch]
            if tried.counted:  # the patch alone may be colored so, but then the rest is not
                reason += " for which a count of all entries leaves room"
                witness = np.flatnonzero(np.diff(instance.ptr))
            bound = witnessed(bound.value + 1, reason, witness)
        else:
            patch = next(patches, None)
    return bound


def near_vertices(graph: BipartiteGraph, start: int, visits: int) -> Ints64:
    """Collect the vertices around one, by a breadth-first search over nets, as many as the largest patch may need."""
    seen, walked, queue = {start}, set(), [start]
    for vertex in queue:
        for net in graph.vertex_nets[graph.vertex_ptr[vertex] : graph.vertex_ptr[vertex + 1]].tolist():
            if net in walked or len(seen) >= 2 * SIZES[-1] or visits <= 0:
                continue
            walked.add(net)
            for near in graph.net_vertices[graph.net_ptr[net] : graph.net_ptr[net + 1]].tolist()[: SIZES[-1]]:
                visits -= 1
                if near not in seen:
                    seen.add(near)
                    queue.append(near)
    return np.array(sorted(seen), dtype=np.int64)


def among(graph: BipartiteGraph, vertices: Ints64) -> Instance:
    """Make the graph of some vertices in which those that share a net are neighbours."""
    members: dict[int, list[int]] = {}
    near: list[set[int]] = [set() for _ in range(len(vertices))]
    for place, vertex in enumerate(vertices.tolist()):
        for net in graph.vertex_nets[graph.vertex_ptr[vertex] : graph.vertex_ptr[vertex + 1]].tolist():
            for other in members.setdefault(net, []):
                near[place].add(other)
                near[other].add(place)
            members[net].append(place)
    ptr = np.concatenate(([0], np.cumsum([len(each) for each in near], dtype=np.int64)))
    neighbors = np.array([other for each in near for other in sorted(each)], dtype=np.int64)
    return Instance(ptr, neighbors, -1, PROPER)


class _Trial(NamedTuple):
    """Whether k colors are not enough, None if the visits ran out; visits spent; whether counts left ways out."""

    refuted: bool | None
    visits: int
    counted: bool = False


def _try(instance: Instance, k: int, visits: int, splits: Splits | None) -> _Trial:
    """Look for a coloring with k colors, in each split that a count of the whole does not rule out."""
    if instance.num_vertices <= k:
        return _Trial(False, 0)
    if not instance.two_sided:
        decision = decide(instance, k, visits=visits)
        known = decision.refuted or decision.colors is not None
        return _Trial(decision.refuted if known else None, decision.visits)
    spent, counted = 0, False
    for row_colors in range(k + 1):
        if splits is not None and splits.refuted(row_colors, k - row_colors):
            counted = True
            continue
        decision = decide(instance, row_colors, k - row_colors, visits=visits - spent)
        spent += decision.visits
        if not decision.refuted:
            return _Trial(None if decision.colors is None else False, spent)
    return _Trial(True, spent, counted)


def _patches(instance: Instance, start: int) -> Iterator[np.ndarray]:
    """Grow a patch: the vertex outside with most neighbours inside joins next, of several the one seen first."""
    inside: dict[int, None] = {}
    joined: dict[int, int] = {start: 0}
    for size in SIZES:
        while len(inside) < size and joined:
            newest = max(joined, key=joined.__getitem__)
            del joined[newest]
            inside[newest] = None
            for vertex in instance.near(newest, REACH):
                if vertex not in inside:
                    joined[vertex] = joined.get(vertex, 0) + 1
        yield np.array(sorted(inside), dtype=np.int64)
        if not joined:
            return
