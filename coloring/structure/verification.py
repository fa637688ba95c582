"""Verification: whether colors are valid, in linear time, whoever made them.

A table counts for each line and color the entries that fall together there. It answers all direct problems at once;
the acyclic one asks a union-find structure whether two colors close a cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from coloring.compiled import run
from coloring.demand import Colors
from coloring.pattern import Pattern
from coloring.problems import PROBLEMS, Problem
from coloring.structure import kernels
from coloring.structure.forms import chunks, entries_of, row_ranges
from coloring.structure.kernels import machine

# Places of a table, at most, per entry of the pattern and in any case.
PLACES_PER_ENTRY = 8
PLACES = 1 << 20
# Colors whose bits fit an integer with a sign.
WORD = 63


def holds(problem: Problem, pattern: Pattern, colors: Colors) -> bool:
    """Whether colors are valid; also False where the answer would cost more than linear time.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> path = as_pattern(np.abs(np.subtract.outer(np.arange(4), np.arange(4))) <= 1)
    >>> [holds(PROBLEMS["star"], path, np.array(colors)) for colors in ([0, 1, 0, 1], [0, 1, 2, 0])]
    [False, True]
    """
    num_vertices = problem.num_vertices(pattern.shape)
    if len(colors) != num_vertices:
        return False
    used = int(colors.max(initial=-1)) + 1
    if problem.two_sided:
        return _read_somewhere(pattern, colors)
    if int(colors.min(initial=0)) < 0:
        return False
    if used == num_vertices and bool((np.bincount(colors, minlength=used) == 1).all()):
        return True
    return _affordable(pattern, used) and _CHECKS[problem.name](pattern, colors, used)


def _affordable(pattern: Pattern, used: int) -> bool:
    """Whether a table of lines and colors is about as large as the pattern."""
    return max(pattern.shape) * used <= max(PLACES_PER_ENTRY * pattern.nnz, PLACES)


def _distinct_in_rows(pattern: Pattern, colors: Colors, used: int) -> bool:
    if used < WORD and (test := machine(kernels.few_differ_in_rows, pattern.nnz)):
        return bool(test(*pattern.unsigned, colors))
    if test := machine(kernels.differ_in_rows, pattern.nnz):
        return bool(test(pattern.indptr, pattern.indices, colors, np.full(used, -1, dtype=np.int64)))
    for start, stop in row_ranges(pattern):
        rows, columns = entries_of(pattern, start, stop)
        seen = np.zeros((stop - start) * used, dtype=bool)
        seen[_keys(rows - rows.dtype.type(start), colors[columns], used)] = True
        if np.count_nonzero(seen) != len(rows):
            return False
    return True


def _distinct_in_columns(pattern: Pattern, colors: Colors, used: int) -> bool:
    seen = np.zeros(pattern.shape[1] * used, dtype=bool)
    if test := machine(kernels.differ_in_columns, pattern.nnz):
        return bool(test(pattern.indptr, pattern.indices, colors, used, seen))
    for rows, columns in chunks(pattern):
        seen[_keys(columns, colors[rows], used)] = True
    return int(np.count_nonzero(seen)) == pattern.nnz


def _neighbors_differ(pattern: Pattern, colors: Colors, _used: int) -> bool:
    if test := machine(kernels.differ_along_edges, pattern.nnz):
        return bool(test(pattern.indptr, pattern.indices, colors))
    return not any(
        bool(((colors[rows] == colors[columns]) & (rows != columns)).any()) for rows, columns in chunks(pattern)
    )


def _far_neighbors_differ(pattern: Pattern, colors: Colors, used: int) -> bool:
    return _neighbors_differ(pattern, colors, used) and _distinct_in_rows(pattern, colors, used)


def _no_two_colored_path(pattern: Pattern, colors: Colors, used: int) -> bool:
    """In a path a-b-c-d of two colors, b has two neighbours of the color of c, and c two of that of b."""
    if test := machine(kernels.no_two_colored_path, pattern.nnz):
        return bool(
            test(pattern.indptr, pattern.indices, colors, used, np.zeros(pattern.shape[0] * used, dtype=np.int8))
        )
    if not _neighbors_differ(pattern, colors, used):
        return False
    twice = np.zeros(pattern.shape[0] * used, dtype=bool)
    for start, stop in row_ranges(pattern):
        rows, columns = entries_of(pattern, start, stop)
        apart = rows != columns
        keys = _keys(rows[apart] - rows.dtype.type(start), colors[columns[apart]], used)
        twice[start * used : stop * used] = np.bincount(keys, minlength=(stop - start) * used) > 1
    for rows, columns in chunks(pattern):
        both = twice[_keys(rows, colors[columns], used)] & twice[_keys(columns, colors[rows], used)]
        if bool((both & (rows != columns)).any()):
            return False
    return True


def _no_two_colored_cycle(pattern: Pattern, colors: Colors, used: int) -> bool:
    dtype = np.int32 if pattern.shape[0] * used < 2**31 - 1 else np.int64
    roots = np.arange(pattern.shape[0] * used, dtype=dtype)
    arguments = (pattern.indptr, pattern.indices, colors, used, roots)
    return bool(run(kernels.no_two_colored_cycle, pattern.nnz, *arguments))


def _read_somewhere(pattern: Pattern, colors: Colors) -> bool:
    """Each entry must be alone in its row with its column's color, or in its column with its row's color.

    What can be read so can be read by substitution, too.
    """
    num_rows = pattern.shape[0]
    of_rows, of_columns = colors[:num_rows], colors[num_rows:]
    if pattern.nnz and int(of_columns.min(initial=0)) >= 0 and int(of_rows.max(initial=-1)) < 0:
        return holds(PROBLEMS["column"], pattern, of_columns)
    if pattern.nnz and int(of_rows.min(initial=0)) >= 0 and int(of_columns.max(initial=-1)) < 0:
        return holds(PROBLEMS["row"], pattern, of_rows)
    if not _affordable(pattern, int(colors.max(initial=-1)) + 1):
        return False
    in_columns = _counts(pattern, of_rows)
    used = int(of_columns.max(initial=-1)) + 1
    width = int(of_rows.max(initial=-1)) + 1
    for start, stop in row_ranges(pattern):
        rows, columns = entries_of(pattern, start, stop)
        alone = np.zeros(len(rows), dtype=bool)
        seen = of_columns[columns] >= 0
        if used and seen.any():
            keys = _keys(rows[seen] - rows.dtype.type(start), of_columns[columns[seen]], used)
            alone[seen] = np.bincount(keys)[keys] == 1
        seen = of_rows[rows] >= 0
        if in_columns is not None and seen.any():
            alone[seen] |= in_columns[_keys(columns[seen], of_rows[rows[seen]], width)] == 1
        if not alone.all():
            return False
    return True


def _counts(pattern: Pattern, colors: Colors) -> npt.NDArray[np.intp] | None:
    """Count the entries of each column and row color."""
    width = int(colors.max(initial=-1)) + 1
    if not width:
        return None
    parts = []
    for rows, columns in chunks(pattern):
        seen = colors[rows] >= 0
        parts.append(_keys(columns[seen], colors[rows[seen]], width))
    keys = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    return np.bincount(keys, minlength=pattern.shape[1] * width)


def _keys(lines: npt.NDArray[Any], colors: npt.NDArray[Any], used: int) -> npt.NDArray[np.int64]:
    return cast("npt.NDArray[np.int64]", lines.astype(np.int64) * used + colors)


_CHECKS: dict[str, Callable[[Pattern, Colors, int], bool]] = {
    "column": _distinct_in_rows,
    "row": _distinct_in_columns,
    "star": _no_two_colored_path,
    "acyclic": _no_two_colored_cycle,
    "distance_1": _neighbors_differ,
    "distance_2": _far_neighbors_differ,
}
