"""Seeds: the matrices of zeros and ones whose products with a matrix are its compressed forms."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from coloring.problems import PROBLEMS, Problem
from coloring.result import Coloring, Colors, as_coloring

Dense: TypeAlias = npt.NDArray[Any]
# One compressed matrix, or two: that of the rows, then that of the columns.
Compressed: TypeAlias = Dense | tuple[Dense, Dense]


def seed_matrix(coloring: Coloring, dtype: npt.DTypeLike = np.float64) -> Compressed:
    """Build the dense seeds of a coloring: a column for each color, with ones at the vertices of that color.

    Parameters
    ----------
    coloring : Coloring
    dtype : dtype

    Returns
    -------
    array of shape (num_vertices, num_colors), or two of them
        Of a coloring of columns or of a symmetric matrix, S with A @ S the compressed matrix; of rows, S with S.T @ A.
        Of a two-sided one both, that of the rows first. Where dense seeds are too large, ``coloring.colors`` holds
        the same as index array: vertex v has its one in column ``colors[v]``, or none if that is -1.

    Raises
    ------
    ValueError
        For a coloring of a graph only, which compresses no matrix.

    Examples
    --------
    >>> from coloring import color
    >>> seed_matrix(color(([0, 2, 4], [0, 1, 1, 2], (2, 3)), order="natural")).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    problem = compressing(coloring, "seed_matrix")
    if problem.two_sided:
        return (
            _ones(coloring.row_colors, coloring.num_row_colors, dtype),
            _ones(coloring.column_colors, coloring.num_column_colors, dtype),
        )
    return _ones(coloring.colors, coloring.num_colors, dtype)


def compress(matrix: Any, coloring: Coloring) -> Compressed:
    """Multiply a matrix with the seeds of a coloring.

    Parameters
    ----------
    matrix : 2-D array or matrix of scipy.sparse, shape (m, n)
    coloring : Coloring
        Of the pattern of the matrix.

    Returns
    -------
    array, or two of them
        A @ S of shape (m, num_colors) for columns and symmetric matrices; S.T @ A of shape (num_colors, n) for rows;
        of a two-sided coloring S_rows.T @ A of shape (num_row_colors, n) and A @ S_columns of shape
        (m, num_column_colors). An infinity or NaN of a dense matrix spoils its line, as in any product with zeros.

    Raises
    ------
    ValueError
        If the coloring is for a matrix of another size, or for a graph only.

    Examples
    --------
    >>> import numpy as np
    >>> from coloring import color
    >>> matrix = np.array([[1.0, 2.0, 0.0], [0.0, 3.0, 4.0]])
    >>> compress(matrix, color(matrix != 0, order="natural")).tolist()
    [[1.0, 2.0], [4.0, 3.0]]
    """
    problem = compressing(coloring, "compress")
    shape: Any = getattr(matrix, "shape", ())
    if len(shape) != 2 or problem.num_vertices(shape) != len(coloring.colors) or not _sides_fit(coloring, shape):
        raise ValueError(
            f"compress: got a matrix of shape {tuple(shape)} for a {problem.name} coloring of {len(coloring.colors)} "
            f"{problem.vertices}; pass a 2-D matrix with one {problem.vertex} for each color given"
        )
    seeds = seed_matrix(coloring, np.int64 if matrix.dtype == np.bool_ else matrix.dtype)
    if isinstance(seeds, tuple):
        return _by_rows(matrix, seeds[0]), np.asarray(matrix @ seeds[1])
    return _by_rows(matrix, seeds) if problem.vertices == "rows" else np.asarray(matrix @ seeds)


def compressed_shapes(coloring: Coloring, shape: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Shapes of the compressed matrices.

    Examples
    --------
    >>> from coloring import color
    >>> compressed_shapes(color(([0, 2, 4], [0, 1, 1, 2], (2, 3)), order="natural"), (2, 3))
    ((2, 2),)
    """
    rows, columns = shape
    by_row, by_column = (coloring.num_row_colors, columns), (rows, coloring.num_column_colors)
    vertices = PROBLEMS[coloring.problem].vertices
    return {"rows": (by_row,), "rows and columns": (by_row, by_column)}.get(vertices, (by_column,))


def compressing(coloring: Coloring, call: str) -> Problem:
    """Give the problem of a coloring that compresses a matrix.

    Raises
    ------
    ValueError
        If it is a coloring of a graph only.
    """
    problem = PROBLEMS[as_coloring(coloring, call).problem]
    if problem.decompression is None:
        raise ValueError(
            f"{call}: got a {problem.name} coloring, which is of a graph and compresses no matrix; color the pattern "
            "for 'column', 'row', 'star', 'acyclic', 'star_bicoloring' or 'acyclic_bicoloring'"
        )
    return problem


def _sides_fit(coloring: Coloring, shape: tuple[int, int]) -> bool:
    problem = PROBLEMS[coloring.problem]
    return coloring.num_rows == shape[0] if problem.two_sided else not problem.symmetric or shape[0] == shape[1]


def _ones(colors: Colors, number: int, dtype: npt.DTypeLike) -> Dense:
    seeds = np.zeros((len(colors), number), dtype=dtype)
    colored = np.flatnonzero(colors >= 0)
    seeds[colored, colors[colored]] = 1
    return seeds


def _by_rows(matrix: Any, seeds: Dense) -> Dense:
    return np.ascontiguousarray(np.asarray(matrix.T @ seeds).T)
