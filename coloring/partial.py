"""Partial problems: entries named in a few ways, as marks in the order of a pattern."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from coloring.demand import without_known
from coloring.pattern import Pattern, PatternLike, as_pattern, refuse_masked

Lines: TypeAlias = npt.ArrayLike
Entries: TypeAlias = PatternLike | npt.ArrayLike
Marks = npt.NDArray[np.bool_]


def mark_entries(pattern: Pattern, given: Entries, name: str, call: str) -> Marks:
    """Mark those entries of a pattern that are given: as marks, or as a pattern of the same shape.

    Parameters
    ----------
    pattern : Pattern
    given : array of bool, shape (nnz,), or pattern
        A value for each entry of the pattern, in the order of its rows; or a pattern that holds the entries meant.
    name, call : str
        For messages.

    Raises
    ------
    ValueError
        If neither fits, or if the given pattern has an entry that `pattern` has not.

    Examples
    --------
    >>> whole = as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))
    >>> mark_entries(whole, ([0, 1, 1], [1], (2, 2)), "wanted", "color").tolist()
    [False, True, False]
    """
    refuse_masked(given, name, call)
    flat = _as_flat(given)
    if flat is not None:
        if flat.dtype != np.bool_ or flat.shape != (pattern.nnz,):
            raise ValueError(
                f"{call}: got {name} of dtype {flat.dtype} and shape {flat.shape}; pass {pattern.nnz} values of bool, "
                "one for each entry in the order of the pattern's rows, or a pattern of its shape"
            )
        return flat
    part: Pattern = as_pattern(given, call)  # type: ignore[arg-type]
    if part.shape != pattern.shape:
        raise ValueError(f"{call}: got {name} of shape {part.shape} for a pattern of shape {pattern.shape}")
    marks = np.isin(_numbers(pattern), mine := _numbers(part), assume_unique=True)
    if np.count_nonzero(marks) != len(mine):
        row, column = divmod(int(np.setdiff1d(mine, _numbers(pattern))[0]), max(pattern.shape[1], 1))
        raise ValueError(f"{call}: got {name} with an entry at ({row}, {column}), where the pattern has none")
    return np.asarray(marks)


def as_flag(diagonal: object, call: str) -> bool:
    """Refuse what is neither True nor False: a word or an array would be taken for one of them."""
    if not isinstance(diagonal, bool | np.bool_):
        raise ValueError(f"{call}: got diagonal={diagonal!r}; pass True or False")
    return bool(diagonal)


def mark_lines(count: int, given: Lines | None, name: str, call: str) -> Marks:
    """Mark rows or columns that are given by number or as marks; None stands for all.

    Examples
    --------
    >>> mark_lines(3, [2, 0], "rows", "color").tolist()
    [True, False, True]
    """
    refuse_masked(given, name, call)
    marks = np.zeros(count, dtype=bool)
    if given is None:
        marks[:] = True
        return marks
    array: npt.NDArray[Any] = np.asarray(given)
    if array.size == 0 and array.ndim == 1 and array.dtype.kind == "f":
        return marks
    if array.dtype == np.bool_ and array.shape == (count,):
        return array.copy()
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{call}: got {name} of dtype {array.dtype} and shape {array.shape}; pass numbers of {name}, or "
            f"{count} values of bool"
        )
    wrong = array[(array < 0) | (array >= count)]
    if wrong.size:
        raise ValueError(f"{call}: got {wrong[0]} among {name}; every number must lie in 0 ... {count - 1}")
    marks[array] = True
    return marks


def select(
    pattern: Pattern, wanted: Entries | None, rows: Lines | None, columns: Lines | None, call: str
) -> Marks | None:
    """Combine wanted entries, rows and columns; None if all entries are wanted."""
    if wanted is None and rows is None and columns is None:
        return None
    marks = np.ones(pattern.nnz, dtype=bool) if wanted is None else mark_entries(pattern, wanted, "wanted", call)
    of_rows = mark_lines(pattern.shape[0], rows, "rows", call)
    of_columns = mark_lines(pattern.shape[1], columns, "columns", call)
    return np.asarray(marks & np.repeat(of_rows, np.diff(pattern.indptr)) & of_columns[pattern.indices])


def demanded_part(
    pattern: Pattern,
    wanted: Entries | None,
    rows: Lines | None,
    columns: Lines | None,
    known: Entries | None,
    call: str,
) -> tuple[Pattern, Marks | None, npt.NDArray[np.intp] | None]:
    """Leave known entries out; give the pattern of the others, those wanted of them, and their positions.

    Examples
    --------
    >>> whole = as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))
    >>> rest, marks, positions = demanded_part(whole, None, [1], None, np.array([False, True, False]), "color")
    >>> rest.indices.tolist(), marks.tolist(), positions.tolist()
    ([0, 1], [False, True], [0, 2])
    """
    marks = select(pattern, wanted, rows, columns, call)
    if known is None:
        return pattern, marks, None
    left_out = mark_entries(pattern, known, "known", call)
    rest = without_known(pattern, left_out)
    return rest, None if marks is None else marks[~left_out], np.flatnonzero(~left_out)


def _as_flat(given: Any) -> npt.NDArray[Any] | None:
    """The array of marks, if that is what is given."""
    if isinstance(given, tuple | Pattern) or any(hasattr(given, name) for name in ("indptr", "tocsr", "adjacency")):
        return None
    array: npt.NDArray[Any] = np.asarray(given)
    return array if array.ndim == 1 else None


def _numbers(pattern: Pattern) -> npt.NDArray[np.int64]:
    """Row-major numbers of the entries."""
    rows = pattern.rows().astype(np.int64)
    return np.asarray(rows * max(pattern.shape[1], 1) + pattern.indices)
