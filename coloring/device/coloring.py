"""Speculative parallel greedy coloring on a GPU, with a repair that gives the same colors in every run.

References
----------
Çatalyürek, Feo, Gebremedhin, Halappanavar and Pothen: Graph coloring algorithms for multi-core and massively
multithreaded architectures, Parallel Computing 38, 2012 (rounds of speculation and repair); Taş, Kaya and Saule: Greed
is good: parallel algorithms for bipartite-graph partial coloring on multicore architectures, ICPP 2017 (nets instead of
pairs); Culberson: Iterated greedy graph coloring and the difficulty landscape, 1992 (coloring again, class by class).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from coloring.device import grids, lines, star
from coloring.device.launching import Program, load_cupy

DeviceProblem = Literal["column", "row", "star"]

_MOST = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class DeviceColoring:
    """Colors on a device.

    Parameters
    ----------
    problem : {"column", "row", "star"}
    colors : array of int32 of CuPy, shape (num_vertices,)
        Numbered from 0, each in use.
    num_colors : int
    lower_bound : int
        No coloring has fewer: the entries of the fullest row (column), for lines; 2 for a symmetric matrix with entries
        beside its diagonal.
    rounds : int
        Rounds of speculation that it took; 0 where the place of a vertex on a line or a grid tells its color.
    """

    problem: DeviceProblem
    colors: Any
    num_colors: int
    lower_bound: int
    rounds: int


def color(pattern: Any, problem: DeviceProblem = "column", *, seed: int = 0, passes: int = 4) -> DeviceColoring:
    """Color a pattern on the device on which it lies, on the current stream.

    Parameters
    ----------
    pattern : (indptr, indices, shape), or cupyx.scipy.sparse.csr_matrix
        Compressed rows, each row's indices rising and without repetition, as CuPy's arrays.
    problem : {"column", "row", "star"}
        What is colored; "star" takes a symmetric pattern.
    seed : int
        Of the priorities that decide between vertices which chose the same color.
    passes : int
        How often, at most, all vertices are colored again class by class. For lines this never takes more colors, and
        it ends where the lower bound is met; of star colorings the best one is kept.

    Returns
    -------
    DeviceColoring
        The same for equal patterns and seeds, whatever the device.

    Raises
    ------
    ValueError
        If the arrays are no pattern (each entry is looked at), on two devices, too long for 32 bits, or not symmetric
        where they have to be.

    Notes
    -----
    Bands, and stencils on boxes in the order of their points, are recognised, and colored by residues as on the host
    (a star coloring is then one of distance 2).

    Else a vertex reads the nets that it lies in, not their vertices, so that a round takes time in proportion to the
    entries of the vertices that wait. Star colorings walk along paths: time grows with the cube of the fullest row.
    """
    if problem not in get_args(DeviceProblem):
        names = ", ".join(map(repr, get_args(DeviceProblem)))
        raise ValueError(f"coloring.device.color: problem={problem!r}; choose one of {names}")
    indptr, indices, shape = _triple(pattern)
    with load_cupy().cuda.Device(int(indptr.device.id)):
        _check(indptr, indices, shape)
        return _colored(indptr, indices, shape, problem, seed, passes)


def _colored(
    indptr: Any, indices: Any, shape: tuple[int, int], problem: DeviceProblem, seed: int, passes: int
) -> DeviceColoring:
    if problem == "star":
        colors, rounds = star.color(indptr, indices, shape, seed, passes)
        bound = 0
    else:
        graph = lines.graph(indptr, indices, shape, by_columns=problem == "column")
        bound = lines.fullest(graph)
        known = grids.regular(graph, indptr, indices, shape, problem)
        if known is not None and known[1] <= grids.ENOUGH * bound:
            colors, rounds = known[0], 0
        else:
            colors, rounds = lines.color(graph, seed)
            colors = grids.fewer(known, lines.improve(graph, colors, passes))
    colors, number = _numbered(colors)
    if problem == "star":
        bound = min(number, 2)
    return DeviceColoring(problem, colors, number, bound, rounds)


def _triple(pattern: Any) -> tuple[Any, Any, tuple[int, int]]:
    """The index arrays, checked as far as this takes no time."""
    cupy = load_cupy()
    indptr, indices, shape = pattern if isinstance(pattern, tuple) else (pattern.indptr, pattern.indices, pattern.shape)
    for name, array in (("indptr", indptr), ("indices", indices)):
        if not isinstance(array, cupy.ndarray) or array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError(
                f"coloring.device.color: {name} is a {type(array).__name__}; pass a one-dimensional array of integers "
                "of CuPy, or color on the host by coloring.color"
            )
    rows, columns = (int(n) for n in shape)
    if len(indptr) != rows + 1:
        raise ValueError(f"coloring.device.color: indptr has length {len(indptr)}, and the shape asks for {rows + 1}")
    if max(len(indices), rows, columns) > _MOST:
        raise ValueError("coloring.device.color: more than 2**31 - 1 entries; color on the host by coloring.color")
    places = [int(array.device.id) for array in (indptr, indices)]
    if places[0] != places[1]:
        raise ValueError(
            f"coloring.device.color: indptr is on device {places[0]}, and indices are on device {places[1]}; copy them "
            "to one"
        )
    with cupy.cuda.Device(places[0]):
        return _narrow(cupy, indptr), _narrow(cupy, indices), (rows, columns)


_WRONG = {
    1: "indptr does not rise from 0 to the number of indices",
    2: "an index is outside of the matrix",
    4: "the indices of a row do not rise: call sum_duplicates() of the matrix, which sorts them",
}
"""Bit of `lines.cu` -> what is wrong."""


def _check(indptr: Any, indices: Any, shape: tuple[int, int]) -> None:
    """Look at each entry, on the device: what is wrong there would lead out of its memory."""
    found = load_cupy().zeros(1, dtype=np.uint32)
    numbers = (np.int32(len(indices)), np.int32(shape[1]))
    Program("lines.cu").launch("wrong", shape[0], *numbers, indptr, indices, found)
    bits = int(found.get()[0]) if shape[0] else int(len(indices) > 0)
    for bit, what in _WRONG.items():
        if bits & bit:
            raise ValueError(f"coloring.device.color: these arrays are no pattern of shape {shape}: {what}")


def _narrow(cupy: Any, array: Any) -> Any:
    """By 32 bits; what they cannot hold would become another index."""
    if array.dtype != np.int32 and len(array) and not 0 <= int(array.min()) <= int(array.max()) <= _MOST:
        raise ValueError(
            "coloring.device.color: these arrays are no pattern: an index is negative, or beyond 2**31 - 1"
        )
    return cupy.ascontiguousarray(array.astype(np.int32, copy=False))


def _numbered(colors: Any) -> tuple[Any, int]:
    """The colors without gaps, and how many they are."""
    cupy = load_cupy()
    if not len(colors):
        return colors, 0
    in_use = cupy.bincount(colors) > 0
    names = (cupy.cumsum(in_use) - 1).astype(np.int32)
    return names[colors], int(in_use.sum())
