"""Plans: where each entry is read off the compressed products, found once and applied often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
import numpy.typing as npt

from coloring.checker import check
from coloring.decompression.places import Mask, Places, sides
from coloring.decompression.recovery import Recovery, breaking, recover
from coloring.decompression.seeds import Compressed, Dense, compressed_shapes, compressing
from coloring.decompression.substitution import Schedule, schedule
from coloring.demand import Colors
from coloring.partial import Entries, Lines, demanded_part
from coloring.pattern import Index, Pattern, PatternLike, as_pattern
from coloring.problems import PROBLEMS, Problem
from coloring.result import Coloring

Triangle: TypeAlias = Literal["full", "lower", "upper"]


@dataclass(frozen=True, eq=False)
class DecompressionPlan:
    """How the entries of a matrix come back from its compressed products; made by `decompression_plan`.

    Parameters
    ----------
    coloring : Coloring
    shapes : tuple of shapes
        Of the compressed matrix, or of the two of a two-sided coloring: that of the rows, then that of the columns.
    pattern : Pattern
        The entries that come back, in compressed rows; data goes with its `indptr` and `indices`.
    entries : array of int, or None
        Their positions in the pattern that the plan was made for; None if these are all.
    source : array of int
        Where each entry (in substitution, each unknown) stands in the compressed matrices, flattened one after the
        other.
    schedule : Schedule or None
        What is subtracted, in substitution.
    """

    coloring: Coloring
    shapes: tuple[tuple[int, int], ...]
    pattern: Pattern
    entries: Index | None
    source: Index
    schedule: Schedule | None

    @property
    def error_growth(self) -> float:
        """Bound of the rounding errors: ``abs(error) <= error_growth * eps * max(abs(compressed))``.

        It holds for compressed products with one rounding each, eps being that of their dtype (``numpy.finfo``), as
        long as ``error_growth * eps`` is well below 1. Direct decompression adds nothing, which is a growth of 1.
        """
        return 1.0 if self.schedule is None else self.schedule.error_growth

    @property
    def num_levels(self) -> int:
        """Vector operations one after the other: length of the longest chain of unknowns that need each other."""
        return 1 if self.schedule is None else self.schedule.num_levels

    @property
    def nbytes(self) -> int:
        """Bytes held by the plan's index arrays, without those of the coloring."""
        arrays = [self.source, self.pattern.indptr, self.pattern.indices]
        arrays += [] if self.entries is None else [self.entries]
        if self.schedule is not None:
            arrays += [self.schedule.starts, self.schedule.ends, self.schedule.consumers, self.schedule.entries]
        return sum(array.nbytes for array in arrays)

    @property
    def products(self) -> Colors:
        """Color of the product that each entry is read off, numbered as in ``coloring.colors``."""
        colors = np.empty(len(self.source), dtype=np.int32)
        start = 0
        for (rows, columns), by_row in zip(self.shapes, self._by_row(), strict=True):
            mine = (self.source >= start) & (self.source < start + rows * columns)
            places = self.source[mine] - start
            before = 0 if by_row else self.coloring.num_row_colors
            colors[mine] = places // max(columns, 1) if by_row else places % max(columns, 1) + before
            start += rows * columns
        return colors if self.schedule is None else colors[self.schedule.entries]

    def decompress(self, compressed: Compressed, out: Dense | None = None) -> Dense:
        """Read the entries off their compressed products.

        Parameters
        ----------
        compressed : array of the shape in `shapes`, or a pair of arrays for two
            See `compress`. A single one in C order is read without a copy.
        out : 1-D array, optional
            Filled and returned; of length ``pattern.nnz`` and the dtype of `compressed`.

        Returns
        -------
        1-D array
            A value for each entry of ``pattern``, in its order.

        Raises
        ------
        ValueError
            If an array has not the shape or dtype that it should have.

        Examples
        --------
        >>> import numpy as np
        >>> from coloring import color, compress
        >>> matrix = np.array([[1.0, 2.0, 0.0], [2.0, 3.0, 4.0], [0.0, 4.0, 5.0]])
        >>> coloring = color(matrix != 0, "acyclic")
        >>> plan = decompression_plan(matrix != 0, coloring, triangle="upper")
        >>> plan.decompress(compress(matrix, coloring)).tolist()
        [1.0, 2.0, 3.0, 4.0, 5.0]
        """
        flat = self._flattened(compressed)
        values = flat if self.schedule is None else flat.take(self.source, mode="clip")
        places = self.source if self.schedule is None else self.schedule.entries
        if self.schedule is not None:
            self.schedule.substitute(values)
        if out is None:
            return values.take(places, mode="clip")
        if not isinstance(out, np.ndarray) or out.shape != places.shape or out.dtype != flat.dtype:
            raise ValueError(
                f"decompress: got out of shape {np.shape(out)} and dtype {getattr(out, 'dtype', None)}; pass an array "
                f"of shape {places.shape} and dtype {flat.dtype}, as the compressed matrix has"
            )
        return values.take(places, out=out, mode="clip")

    def _by_row(self) -> tuple[bool, ...]:
        return (True, False) if len(self.shapes) == 2 else (self.coloring.problem == "row",)

    def _flattened(self, compressed: Compressed) -> Dense:
        parts = compressed if isinstance(compressed, tuple | list) else (compressed,)
        arrays = [np.asarray(part) for part in parts]
        shapes = tuple(array.shape for array in arrays)
        if shapes != self.shapes:
            wanted, got = (" and ".join(map(str, these)) for these in (self.shapes, shapes))
            raise ValueError(f"decompress: got compressed matrices of shape {got}; pass {wanted}")
        if any(array.dtype.kind not in "iufc" for array in arrays):
            raise ValueError(f"decompress: got compressed matrices of dtype {arrays[0].dtype}; pass numbers")
        return arrays[0].ravel() if len(arrays) == 1 else np.concatenate([array.ravel() for array in arrays])


def decompression_plan(
    pattern: PatternLike,
    coloring: Coloring,
    *,
    wanted: Entries | None = None,
    rows: Lines | None = None,
    columns: Lines | None = None,
    diagonal: bool = True,
    known: Entries | None = None,
    triangle: Triangle = "full",
) -> DecompressionPlan:
    """Find where the entries of a pattern come back from compressed products, in linear time.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    coloring : Coloring
        Of this pattern.
    wanted : array of bool, shape (nnz,), or pattern, optional
        The entries that are to come back; by default all. In symmetric problems an entry brings its mirror image.
    rows, columns : array of int or bool, optional
        The rows and columns of which entries are wanted, by default all.
    diagonal : bool
        Whether the diagonal of a symmetric matrix is to come back.
    known : array of bool, shape (nnz,), or pattern, optional
        Entries that are known already and do not come back: with K the matrix of them, decompress
        ``compress(A, coloring) - compress(K, coloring)``.
    triangle : {"full", "lower", "upper"}
        Of a symmetric matrix, the part that is to come back, with its diagonal.

    Returns
    -------
    DecompressionPlan
        Its `pattern` has the entries that come back, and no others.

    Raises
    ------
    ValueError
        If the coloring does not tell the wanted entries apart, with what `check` says; and for a coloring of another
        size or of a graph only.

    Examples
    --------
    >>> import numpy as np
    >>> from coloring import color, compress
    >>> matrix = np.array([[1.0, 2.0, 0.0], [0.0, 3.0, 4.0]])
    >>> coloring = color(matrix != 0)
    >>> plan = decompression_plan(matrix != 0, coloring)
    >>> plan.decompress(compress(matrix, coloring)).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    call = "decompression_plan"
    whole, problem = as_pattern(pattern, call), compressing(coloring, call)
    _check_sizes(problem, coloring, whole, triangle, call)
    matrix, marks, positions = demanded_part(whole, wanted, rows, columns, known, call)
    found = recover(problem, matrix, coloring.colors, call)
    mask = _demanded(problem, matrix, found.places, marks, diagonal)
    if not _is_valid(problem, matrix, coloring.colors, found, mask, whole=marks is None and diagonal):
        conflict = check(matrix, coloring, wanted=marks, diagonal=diagonal)
        raise ValueError(
            f"{call}: got a coloring with a conflict: {conflict}; pass one that was found for this pattern"
        )
    if triangle != "full":
        mask &= (found.places.rows >= matrix.indices) if triangle == "lower" else (found.places.rows <= matrix.indices)
    source, order = _sources_and_schedule(coloring, matrix, found, mask)
    kept, entries = _selected(matrix, found.places.rows, mask)
    if positions is not None:
        entries = cast("Index", positions if entries is None else positions[entries])
    return DecompressionPlan(coloring, compressed_shapes(coloring, matrix.shape), kept, entries, source, order)


def _check_sizes(problem: Problem, coloring: Coloring, pattern: Pattern, triangle: Triangle, call: str) -> None:
    rows_fit = not problem.two_sided or coloring.num_rows == pattern.shape[0]
    if len(coloring.colors) != problem.num_vertices(pattern.shape) or not rows_fit:
        raise ValueError(
            f"{call}: got a {problem.name} coloring of {len(coloring.colors)} {problem.vertices} for a pattern of "
            f"shape {pattern.shape}; pass the coloring of this pattern"
        )
    if triangle not in get_args(Triangle) or (triangle != "full" and not problem.symmetric):
        raise ValueError(
            f"{call}: got triangle {triangle!r} for a {problem.name} coloring; choose one of "
            f"{', '.join(map(repr, get_args(Triangle)))}, and 'full' unless the matrix is symmetric"
        )


def _demanded(problem: Problem, pattern: Pattern, places: Places, wanted: Mask | None, diagonal: bool) -> Mask:
    """Mark the entries that are to come back; with each its mirror image."""
    mask = np.ones(pattern.nnz, dtype=bool) if wanted is None else wanted.copy()
    if places.mirror is not None:
        mask |= mask[places.mirror]
    return mask if diagonal or not problem.symmetric else mask & (places.rows != pattern.indices)


def _is_valid(problem: Problem, pattern: Pattern, colors: Colors, found: Recovery, mask: Mask, whole: bool) -> bool:
    """Whether what is wanted can be had; a coloring for a whole symmetric matrix is one of its graph, too."""
    if np.any(mask & ~found.recovered):
        return False
    if not (whole and problem.symmetric):
        return True
    return bool(np.all(colors >= 0)) and not breaking(problem, pattern, colors, found.places.rows).any()


def _sources_and_schedule(
    coloring: Coloring, pattern: Pattern, found: Recovery, mask: Mask
) -> tuple[Index, Schedule | None]:
    if found.peeling is None:
        direct = np.flatnonzero(mask)
        return _sources(coloring, pattern, found.places, direct, ~found.places.alone_by_column[direct]), None
    wanted = np.zeros(len(found.unknowns), dtype=bool)
    wanted[found.unknown_of[mask]] = True
    kept, order = schedule(found.peeling, wanted)
    chosen = found.unknowns[found.peeling.unknowns[kept]]
    source = _sources(coloring, pattern, found.places, chosen, found.peeling.by_row[kept])
    return source, replace(order, entries=order.entries[found.unknown_of[mask]])


def _sources(coloring: Coloring, pattern: Pattern, places: Places, chosen: npt.NDArray[Any], by_row: Mask) -> Index:
    """Where the chosen entries stand in the flattened compressed matrices, by the color of their row or column."""
    problem = PROBLEMS[coloring.problem]
    shapes = compressed_shapes(coloring, pattern.shape)
    size = sum(rows * columns for rows, columns in shapes)
    dtype = np.int32 if size < 2**31 else np.int64
    rows: npt.NDArray[Any] = places.rows[chosen].astype(dtype)
    columns: npt.NDArray[Any] = pattern.indices[chosen].astype(dtype)
    row_colors, column_colors = sides(problem, coloring.colors, pattern.shape[0])
    by_column_source, by_row_source = rows, rows
    if column_colors is not None:
        start = size - shapes[-1][0] * shapes[-1][1]
        before = coloring.num_row_colors
        by_column_source = rows * dtype(shapes[-1][1]) + (column_colors[columns] - before + start)
    if row_colors is not None:
        colors = row_colors[rows]
        number = dtype(shapes[0][1])
        by_row_source = columns * number + colors if problem.symmetric else colors * number + columns
    return cast("Index", np.where(by_row, by_row_source, by_column_source).astype(dtype, copy=False))


def _selected(pattern: Pattern, rows: Index, mask: Mask) -> tuple[Pattern, Index | None]:
    """The pattern of the marked entries, and their positions."""
    if mask.all():
        return pattern, None
    entries = cast("Index", np.flatnonzero(mask).astype(pattern.indices.dtype))
    indptr = np.zeros_like(pattern.indptr)
    np.cumsum(np.bincount(rows[entries], minlength=pattern.shape[0]), out=indptr[1:])
    indices = pattern.indices[entries]
    for array in (indptr, indices, entries):
        array.flags.writeable = False
    return Pattern(indptr, indices, pattern.shape), entries
