"""Tasks of a process: color with one tool, check, and count; time, memory and growth of the package itself."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import memory
from bench.clock import fastest, timed
from bench.colorings.loops import by_columns_already, same_accesses
from bench.colorings.patterns import Triple, as_matrix, as_triple, is_symmetric, load
from bench.colorings.tools import TOOLS
from bench.colorings.validity import is_valid

SYMMETRIC = ("star", "acyclic")
# Patterns large enough for every kernel to be compiled; of a grid, where nothing else is said.
LARGE = {"star_bicoloring": "kkt:1000000"}
LARGE_GRID = "five_point:1000000"


def number_of_colors(problem: str, triple: Triple, colors: npt.NDArray[Any]) -> int:
    """Count the colors in use, those of rows and of columns apart."""
    rows = triple[2][0] if problem == "star_bicoloring" else 0
    return sum(len(np.unique(part[part >= 0])) for part in (colors[:rows], colors[rows:]))


def counts(tool: str, problem: str, matrices: list[str], folder: str) -> dict[str, Any]:
    """Find the fewest valid colors over all ways of a tool, for each pattern, and how many colorings were not valid."""
    chosen = TOOLS[tool]
    best: dict[str, int] = {}
    wrong = []
    for name in matrices:
        triple = load(name, folder)
        if problem in SYMMETRIC and not is_symmetric(triple):
            continue
        for method, order in chosen.problems[problem]:
            try:
                colors, _ = chosen.color(triple, problem, method, order)
            except Exception as error:  # a tool that cannot do a pattern is out for this one
                wrong.append(f"{name}: {method} {order}: {type(error).__name__}")
                continue
            if is_valid(problem, triple, colors):
                best[name] = min(number_of_colors(problem, triple, colors), best.get(name, 2**31))
            else:
                wrong.append(f"{name}: {method} {order}: not valid")
    return {"best": best, "wrong": wrong}


def prepare(matrix: str, folder: str) -> dict[str, Any]:
    """Make a pattern, so that others only have to read it."""
    return {"nnz": len(load(matrix, folder)[1])}


def seconds(tool: str, problem: str, method: str, order: str, matrix: str, folder: str, repeat: int) -> dict[str, Any]:
    """Time one way of one tool: the best of some runs; ours with numba imported, and after one that compiles."""
    triple = load(matrix, folder)
    chosen = TOOLS[tool]
    if tool == "coloring":
        importlib.import_module("numba")
        for pattern in (load(LARGE.get(problem, LARGE_GRID), folder), triple):
            chosen.color(pattern, problem, method, order)
    best, colors = np.inf, np.zeros(0, dtype=np.int32)
    for _ in range(repeat):
        colors, taken = chosen.color(triple, problem, method, order)
        best = min(best, taken)
    return {
        "seconds": best,
        "colors": number_of_colors(problem, triple, colors),
        "valid": is_valid(problem, triple, colors),
        "nnz": len(triple[1]),
        "hash": int(np.bitwise_xor.reduce((colors.astype(np.int64) + 1) * np.arange(1, len(colors) + 1))),
    }


def peak(problem: str, order: str, matrix: str, folder: str) -> dict[str, Any]:
    """Measure memory beyond the input at its peak, the second time around: what numba loads is there before."""
    import coloring

    triple = load(matrix, folder)
    pattern = coloring.as_pattern(triple)
    TOOLS["coloring"].color(triple, problem, "", order)
    memory.give_back()
    before = memory.resident()
    _reset_peak()
    TOOLS["coloring"].color(pattern, problem, "", order)  # type: ignore[arg-type]
    units = len(triple[1]) + sum(triple[2])
    return {"bytes": (memory.peak() - before) / units}


def threads(matrix: str, folder: str, numbers: list[int]) -> dict[str, Any]:
    """Time transposition and greedy coloring in natural order by several threads, beside the plain ones."""
    import coloring
    from coloring import parallel
    from coloring.algorithms import ALGORITHMS
    from coloring.bipartite import BipartiteGraph
    from coloring.demand import EVERYTHING
    from coloring.workers import workers

    pattern = coloring.as_pattern(load(matrix, folder))
    order: Any = np.arange(pattern.shape[1], dtype=pattern.indices.dtype)

    def plain() -> npt.NDArray[np.int32]:
        return ALGORITHMS["column"](BipartiteGraph(pattern, vertices_are_columns=True), order, EVERYTHING)

    def several(number: int) -> npt.NDArray[np.int32]:
        return parallel.first_fit(BipartiteGraph(pattern, vertices_are_columns=True, threads=number), number)

    halves = _plain_halves(pattern)

    def at_best() -> None:
        with workers(2, beside=False) as pool:
            list(pool.map(lambda half: half(), halves))

    calls: dict[str, Any] = {str(number): partial(several, number) for number in numbers}
    calls |= {"loops": lambda: [half() for half in halves], "shared loops": at_best}
    found = {str(number): several(number) for number in numbers}
    seconds = fastest(calls, least=7)
    triple = (pattern.indptr, pattern.indices, pattern.shape)
    same = all(np.array_equal(found[str(number)], found["1"]) for number in numbers)
    return {
        "seconds": seconds,
        "same": same,
        "valid": is_valid("column", triple, found["1"]),  # type: ignore[arg-type]
        "greedy": all(np.array_equal(found[str(number)], plain()) for number in numbers),
        "nnz": pattern.nnz,
    }


def _plain_halves(pattern: Any) -> list[Callable[[], None]]:
    """Make two loops with the memory accesses of coloring one half of the rows each: what threads can share at best.

    Of a symmetric pattern whose columns are not scattered, each half has the columns of its own rows only.
    """
    if by_columns_already(pattern):
        matrix, middle = as_matrix((pattern.indptr, pattern.indices, pattern.shape)), pattern.shape[0] // 2
        blocks = [as_triple(matrix[part, part]) for part in (slice(middle), slice(middle, None))]
        return [same_accesses(type(pattern)(*block)) for block in blocks]
    halves = []
    for first, last in pairwise((0, pattern.shape[0] // 2, pattern.shape[0])):
        indptr = pattern.indptr[first : last + 1] - pattern.indptr[first]
        indices = pattern.indices[pattern.indptr[first] : pattern.indptr[last]]
        halves.append(same_accesses(type(pattern)(indptr, indices, (last - first, pattern.shape[1]))))
    return halves


def _reset_peak() -> None:
    """Let the kernel count the peak anew (Linux)."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def growth(matrix: str, folder: str) -> dict[str, Any]:
    """Time greedy coloring in natural order beside plain loops that make the same memory accesses."""
    import coloring

    pattern = coloring.as_pattern(load(matrix, folder))
    loops = same_accesses(pattern)
    loops()
    ours, plain = [], []
    for _ in range(5 if pattern.nnz > 10**6 else 100):
        plain.append(timed(loops)[1])
        ours.append(timed(lambda: coloring.color(pattern, "column", "natural"))[1])
    return {"ours": min(ours), "plain": min(plain), "nnz": pattern.nnz}


def small(problem: str, matrix: str, folder: str) -> dict[str, Any]:
    """Time the first coloring of this process on its processor, and say whether numba is there after it."""
    import coloring

    triple = load(matrix, folder)
    pattern = coloring.as_pattern(triple)
    start = time.process_time()
    found = coloring.color(pattern, problem)  # type: ignore[arg-type]
    taken = time.process_time() - start
    return {"seconds": taken, "numba": "numba" in sys.modules, "valid": is_valid(problem, triple, found.colors)}
