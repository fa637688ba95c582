"""Greedy coloring in natural order by several threads, with colors that do not depend on how many there are.

The vertices are cut into pieces, and threads color each by first fit as if it stood alone. Then the pieces are joined
one after the other: the colors of the next one are renamed, all at once, so that they collide with none across the
seam. What collides under every renaming is repaired at the end, together with the vertices of the few nets that reach
over more than one seam. Regular grids and bands mostly continue over a seam without a fault, for their greedy colorings
repeat with the colors permuted.

The colors are valid, depend on the pattern alone, and are about as many as those of the greedy algorithm in natural
order, but not the same. Patterns that do not fall into pieces, for their nets join vertices of all numbers, those of
more than 64 colors, and other orders are left to one thread: their colors are exactly those of the greedy algorithm.

References
----------
Gebremedhin and Manne: Scalable parallel graph coloring algorithms, Concurrency 12, 2000, color such pieces at the same
time and repair what collides. The renaming is a bipartite matching (Kuhn: The Hungarian method for the assignment
problem, 1955); the repair moves neighbours away as tabu search does (Hertz and de Werra: Using tabu search techniques
for graph coloring, Computing 39, 1987).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from coloring.algorithms import partial_distance_2
from coloring.algorithms.partial_distance_2_kernels import DE_BRUIJN, FULL, ONE, PLACES, SHIFT
from coloring.bipartite import BipartiteGraph
from coloring.compiled import SMALL, Ints, compiled, unsigned
from coloring.demand import EVERYTHING, Colors
from coloring.pattern import Index

Bools = npt.NDArray[np.bool_]
Run = Callable[..., Iterable[Any]]

# So many pieces can be colored at the same time.
PIECES = 4

# Nets looked at before all are, and the part of them that may reach over more than one seam.
SAMPLE = 1024
MOST_FAR = 0.05

# Steps of the repair for each vertex that needs one.
STEPS = 8

# How far a piece may end from its place, in vertices.
FARTHEST = 50_000


@dataclass(frozen=True, eq=False)
class Pieces:
    """Vertices cut into pieces of consecutive numbers.

    Parameters
    ----------
    ends : array of int, shape (PIECES + 1,)
        Piece k begins at ``ends[k]`` and ends before ``ends[k + 1]``.
    low, high : array of int8, shape (num_nets,)
        First and last piece of which a net has vertices; piece 0 for a net without any.
    far : array of bool, shape (num_vertices,), or None
        Marks the vertices of nets that reach over more than one seam.
    """

    ends: npt.NDArray[np.int64]
    low: npt.NDArray[np.int8]
    high: npt.NDArray[np.int8]
    far: Bools | None


def first_fit(graph: BipartiteGraph, order: Index, threads: int) -> Colors:
    """Color the vertices by several threads; the colors are numbered from 0, and the same for any number of threads.

    Parameters
    ----------
    graph : BipartiteGraph
    order : array of int
        Every vertex once. Unless this is the natural order, one thread does it all.
    threads : int
        Those beyond `PIECES` have nothing to do.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> first_fit(graph, np.array([0, 1, 2], dtype=np.int32), threads=2).tolist()
    [0, 1, 0]
    """
    threads = as_threads(threads, "first_fit")
    n = graph.num_vertices
    if graph.entries > max(SMALL, 0) and n >= 4 * PIECES and np.array_equal(order, np.arange(n, dtype=order.dtype)):
        with ThreadPoolExecutor(threads) as pool:
            pieces = cut(graph, pool.map)
            colors = None if pieces is None else _color(graph, pieces, pool.map)
        if colors is not None:
            return colors
    return partial_distance_2.first_fit(graph, order, EVERYTHING)


def as_threads(threads: int, call: str) -> int:
    """Check a number of threads.

    Examples
    --------
    >>> as_threads(2, "color")
    2
    """
    try:
        number = operator.index(threads)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{call}: got threads {threads!r}; pass an integer of 1 or more")
    return number


def cut(graph: BipartiteGraph, run: Run = map) -> Pieces | None:
    """Cut the vertices into pieces; None if too many nets reach over more than one seam."""
    ends = _ends(graph)
    step = max(graph.num_nets // SAMPLE, 1)
    low, high = (np.zeros(graph.num_nets, dtype=np.int8) for _ in range(2))
    reach, structure = compiled(_reach), (graph.net_ptr, graph.net_vertices, ends, low, high)
    if reach(0, graph.num_nets, step, *structure) > MOST_FAR * len(low[::step]):
        return None
    shares = np.linspace(0, graph.num_nets, PIECES + 1).astype(np.int64).tolist()
    if not sum(run(lambda share: reach(*share, 1, *structure), pairwise(shares))):
        return Pieces(ends, low, high, None)
    nets = np.flatnonzero(high - low > 1)
    sizes = graph.net_sizes[nets].astype(np.float64)
    if sizes.sum() > MOST_FAR * graph.entries or float(sizes @ sizes) > graph.entries:
        return None
    far = np.zeros(graph.num_vertices, dtype=np.bool_)
    for net in nets:
        far[graph.net_vertices[graph.net_ptr[net] : graph.net_ptr[net + 1]]] = True
    return Pieces(ends, low, high, far)


def _ends(graph: BipartiteGraph) -> npt.NDArray[np.int64]:
    """Choose where pieces end: near equal parts, between two vertices with few nets, as where a line of a grid ends."""
    ends = [0]
    width = graph.num_vertices // PIECES
    reach = min(width // 4, FARTHEST)
    for k in range(1, PIECES):
        sizes = np.diff(graph.vertex_ptr[k * width - reach - 1 : k * width + reach + 2])
        both = sizes[:-1] + sizes[1:]
        weakest = np.flatnonzero(both == both.min())
        ends.append(k * width - reach + int(weakest[np.argmin(np.abs(weakest - reach))]))
    return np.array([*ends, graph.num_vertices], dtype=np.int64)


def _reach(
    begin: int, end: int, step: int, net_ptr: Ints, net_vertices: Ints, ends: Ints, low: Ints, high: Ints
) -> int:
    """Find the first and last piece of some nets; return how many reach over more than one seam."""
    number = 0
    for net in range(begin, end, step):
        if net_ptr[net] < net_ptr[net + 1]:
            first, last = net_vertices[net_ptr[net]], net_vertices[net_ptr[net + 1] - 1]
            piece = 0
            while ends[piece + 1] <= first:
                piece += 1
            low[net] = piece
            while ends[piece + 1] <= last:
                piece += 1
            high[net] = piece
            number += piece - low[net] > 1
    return number


def _color(graph: BipartiteGraph, pieces: Pieces, run: Run) -> Colors | None:
    """Color the pieces, join them, and repair what collides; None if a piece needs more than 64 colors."""
    # A net has vertices in one even and one odd piece at most, so two sets of colors a net keep the pieces apart.
    used = np.zeros((2, graph.num_nets), dtype=np.uint64)
    colors = np.empty(graph.num_vertices, dtype=np.int32)
    structure = (unsigned(graph.vertex_ptr), unsigned(graph.vertex_nets))
    far = np.zeros(0, dtype=np.bool_) if pieces.far is None else pieces.far
    ranges = list(pairwise(pieces.ends.tolist()))
    kernel = compiled(_color_range)
    numbers = list(run(lambda k: kernel(*ranges[k], *structure, far, used[k % 2], colors), range(PIECES)))
    number = max(numbers)
    if number > 64:
        return None
    names, wrong = join(pieces, used, number)
    machine = compiled(_rename)
    changed = [k for k in range(PIECES) if (names[k] != names[0]).any()]
    list(run(lambda k: machine(*ranges[k], names[k], colors), changed))
    again = np.zeros(graph.num_vertices, dtype=np.bool_) if pieces.far is None else pieces.far
    compiled(_mark_colliding)(*wrong, pieces.ends, pieces.high, graph.net_ptr, graph.net_vertices, colors, again)
    rest = np.flatnonzero(again)
    if len(rest):
        colors[rest] = -1
        _repair_all(graph, cast("Index", rest.astype(graph.pattern.indices.dtype)), number, colors)
    return colors


def _repair_all(graph: BipartiteGraph, rest: Index, number: int, colors: Colors) -> None:
    counts = np.zeros(graph.num_vertices + number + 1, dtype=rest.dtype)
    queue, lost = np.empty_like(counts), np.zeros(graph.num_vertices, dtype=np.int8)
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, graph.net_vertices)
    compiled(_repair)(rest, STEPS * len(rest), number, *structure, counts, queue, lost, colors)


def _color_range(begin: int, end: int, vertex_ptr: Ints, vertex_nets: Ints, far: Any, used: Any, colors: Ints) -> int:
    """Color vertices that are not far by first fit; return the number of colors, and stop at one more than 64."""
    number = 0
    for vertex in range(begin, end):
        if len(far) and far[vertex]:
            colors[vertex] = -1
            continue
        taken = np.uint64(0)
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            taken |= used[vertex_nets[k]]
        if taken == FULL:
            return 65
        lowest = ~taken & (taken + ONE)
        color = PLACES[(lowest * DE_BRUIJN) >> SHIFT]
        colors[vertex] = color
        number = max(number, color + 1)
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            used[vertex_nets[k]] |= lowest
    return number


def join(
    pieces: Pieces, used: npt.NDArray[np.uint64], number: int
) -> tuple[list[npt.NDArray[np.int32]], tuple[npt.NDArray[np.intp], Bools]]:
    """Find new names for the colors of each piece, and the nets in which some still collide, with these colors."""
    names = [np.arange(number, dtype=np.int32)]
    wrong, collisions = [np.zeros(0, dtype=np.intp)], [np.zeros((0, number), dtype=np.bool_)]
    crossing = np.flatnonzero(pieces.high - pieces.low == 1)
    for seam in range(PIECES - 1):
        nets = crossing[pieces.low[crossing] == seam]
        before, after = (_as_bits(used[k % 2, nets], number) for k in (seam, seam + 1))
        before = before[:, np.argsort(names[seam])]
        # Integers, for products of floats wake the threads of a linear-algebra library, which then compete with these.
        names.append(rename(before.T.astype(np.int32) @ after.astype(np.int32)))
        both = before & after[:, np.argsort(names[-1])]
        bad = both.any(axis=1)
        wrong.append(nets[bad])
        collisions.append(both[bad])
    return names, (np.concatenate(wrong), np.concatenate(collisions))


def _as_bits(words: npt.NDArray[np.uint64], number: int) -> Bools:
    """Write the lowest bits of each word as bools, the lowest first."""
    octets = words.astype("<u8").view(np.uint8).reshape(len(words), 8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, :number].astype(np.bool_)


def rename(collisions: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Match each color of a piece with a name that it never meets; those for which there is none take the best left.

    Parameters
    ----------
    collisions : array, shape (k, k)
        ``collisions[a, b]``: how often color b of the piece meets color a of the piece before.

    Returns
    -------
    array of int32
        A permutation: the new name of each color.

    Examples
    --------
    >>> rename(np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]])).tolist()
    [2, 0, 1]
    """
    size = len(collisions)
    free = (collisions == 0).T.tolist()
    holder = [-1] * size
    for color in range(size):
        _augment(color, free, holder, [False] * size)
    result = np.full(size, -1, dtype=np.int32)
    for name, color in enumerate(holder):
        if color >= 0:
            result[color] = name
    for color in np.flatnonzero(result < 0).tolist():
        left = np.array([name for name in range(size) if holder[name] < 0])
        name = int(left[np.argmin(collisions[left, color])])
        holder[name], result[color] = color, name
    return result


def _augment(color: int, free: list[list[bool]], holder: list[int], seen: list[bool]) -> bool:
    """Give a color a name, if need be by moving others to other names."""
    for name, allowed in enumerate(free[color]):
        if allowed and not seen[name]:
            seen[name] = True
            if holder[name] < 0 or _augment(holder[name], free, holder, seen):
                holder[name] = color
                return True
    return False


def _mark_colliding(
    nets: Ints, collisions: Any, ends: Ints, high: Ints, net_ptr: Ints, net_vertices: Ints, colors: Ints, marked: Any
) -> None:
    """Mark the vertices of some nets, beyond their seams, whose colors collide."""
    for i in range(len(nets)):
        net = nets[i]
        for k in range(net_ptr[net], net_ptr[net + 1]):
            vertex = net_vertices[k]
            if vertex >= ends[high[net]] and colors[vertex] >= 0 and collisions[i, colors[vertex]]:
                marked[vertex] = True


def _rename(begin: int, end: int, names: Ints, colors: Ints) -> None:
    """Rename the colors of some vertices."""
    for vertex in range(begin, end):
        if colors[vertex] >= 0:
            colors[vertex] = names[colors[vertex]]


def _repair(
    vertices: Ints,
    steps: int,
    number: int,
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_vertices: Ints,
    counts: Ints,
    queue: Ints,
    lost: Ints,
    colors: Ints,
) -> None:
    """Color some vertices with the colors below `number`, for so many steps as are allowed, then with any.

    A vertex without a free color takes the one that fewest neighbours have, and these wait for another; none takes
    back at once the color that it lost. `counts`, `queue` (a ring with room for all vertices) and `lost` are scratch.
    """
    waiting = len(vertices)
    for i in range(waiting):
        queue[i] = vertices[i]
    place = 0
    while waiting > 0:
        vertex = queue[place]
        place = (place + 1) % len(queue)
        waiting -= 1
        steps -= 1
        for color in range(number):
            counts[color] = 0
        last = number
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            for at in range(net_ptr[vertex_nets[k]], net_ptr[vertex_nets[k] + 1]):
                color = colors[net_vertices[at]]
                if color >= 0:
                    counts[color] += 1
                    last = max(last, color)
        best = 0
        for color in range(1, number):
            if counts[color] and color == lost[vertex] - 1:
                continue
            if counts[color] < counts[best] or (counts[best] and best == lost[vertex] - 1):
                best = color
        if counts[best] and steps <= 0:
            best = number
            while counts[best]:
                best += 1
        for color in range(number, last + 1):
            counts[color] = 0
        if best < number and counts[best]:
            for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
                for at in range(net_ptr[vertex_nets[k]], net_ptr[vertex_nets[k] + 1]):
                    other = net_vertices[at]
                    if colors[other] == best:
                        colors[other] = -1
                        lost[other] = best + 1
                        queue[(place + waiting) % len(queue)] = other
                        waiting += 1
        colors[vertex] = best
