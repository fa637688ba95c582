"""Symmetric matrices from computed ones: one number for each pair of entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from kernels.forks import process_lock
from sparsejac.patterns.pattern import Pattern, entry_numbers
from sparsejac.programs.program import Program

Triangle = Literal["full", "lower", "upper"]


@dataclass(frozen=True, eq=False)
class HessianOf:
    """What a gradient's Program is the gradient of, and which part of the Hessian is wanted.

    Parameters
    ----------
    triangle : {"full", "lower", "upper"}
    program : Program
        Of the function: its result is one number, or several that are summed by weights.
    weights : int, optional
        Number of the gradient's input that holds these weights.
    constants : tuple of (int or None)
        For each constant of `program` which one it is of the gradient; None if it is none of them.
    """

    triangle: Triangle
    program: Program
    weights: int | None
    constants: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Mirrored:
    """A symmetric pattern, or a triangle of it, and where its entries come from.

    Parameters
    ----------
    pattern : Pattern
    sources : array of int, shape (nnz,)
        For each entry the number of the computed entry that it takes.
    """

    pattern: Pattern
    sources: npt.NDArray[np.int64]


_LOCK = process_lock()
_KNOWN: WeakKeyDictionary[Pattern, dict[Triangle, Mirrored]] = WeakKeyDictionary()


def mirrored(pattern: Pattern, triangle: Triangle) -> Mirrored:
    """The symmetric form of a computed pattern, found once.

    An entry takes the number computed below the diagonal; where only one of a pair was found, both take that.

    Examples
    --------
    >>> lower = mirrored(Pattern.from_coo([0, 0, 1], [0, 1, 0], (2, 2)), "lower")
    >>> lower.pattern.rows().tolist(), lower.pattern.indices.tolist(), lower.sources.tolist()
    ([0, 1], [0, 0], [0, 2])
    """
    with _LOCK:
        known = _KNOWN.setdefault(pattern, {})
    if triangle not in known:
        known[triangle] = _made(pattern, triangle)
    return known[triangle]


def from_lower(pattern: Pattern, triangle: Triangle) -> Mirrored:
    """As `mirrored`, but with sources among the entries of the lower triangle."""
    lower, form = mirrored(pattern, "lower"), mirrored(pattern, triangle)
    number = np.zeros(pattern.nnz, dtype=np.int64)
    number[lower.sources] = np.arange(len(lower.sources))
    return Mirrored(form.pattern, number[form.sources])


def _made(pattern: Pattern, triangle: Triangle) -> Mirrored:
    """In linear time where the pattern is symmetric, as that of a gradient mostly is."""
    mirror = _mirror(pattern)
    if mirror is None:
        return _searched(pattern, triangle)
    rows, columns = pattern.rows(), pattern.indices
    sources = np.where(rows >= columns, np.arange(pattern.nnz), mirror)
    if triangle == "full":
        return Mirrored(Pattern.of_ours(pattern.shape, pattern.indptr, pattern.indices), sources)
    kept = np.flatnonzero(rows >= columns if triangle == "lower" else rows <= columns)
    indptr = np.zeros_like(pattern.indptr)
    np.cumsum(np.bincount(rows[kept], minlength=pattern.shape[0]), out=indptr[1:])
    return Mirrored(Pattern.of_ours(pattern.shape, indptr, columns[kept]), sources[kept])


def _mirror(pattern: Pattern) -> npt.NDArray[np.int64] | None:
    """For each entry the number of the one across the diagonal; None where one is missing."""
    numbers = np.arange(pattern.nnz)
    turned = csr_array((numbers, pattern.indices, pattern.indptr), shape=pattern.shape).tocsc()
    is_same = np.array_equal(turned.indptr, pattern.indptr) and np.array_equal(turned.indices, pattern.indices)
    return turned.data if is_same else None


def _searched(pattern: Pattern, triangle: Triangle) -> Mirrored:
    """The same for any pattern: entries are looked for."""
    size = pattern.shape[0]
    rows, columns = pattern.rows().astype(np.int64), pattern.indices.astype(np.int64)
    if triangle == "full":
        whole = Pattern.from_coo(np.concatenate([rows, columns]), np.concatenate([columns, rows]), pattern.shape)
    else:
        high, low = np.maximum(rows, columns), np.minimum(rows, columns)
        whole = Pattern.from_coo(*((high, low) if triangle == "lower" else (low, high)), pattern.shape)
    wanted_rows, wanted_columns = whole.rows().astype(np.int64), whole.indices.astype(np.int64)
    below = np.maximum(wanted_rows, wanted_columns) * size + np.minimum(wanted_rows, wanted_columns)
    above = np.minimum(wanted_rows, wanted_columns) * size + np.maximum(wanted_rows, wanted_columns)
    numbers = entry_numbers(pattern)
    places = np.searchsorted(numbers, below)
    found = places < len(numbers)
    found[found] = numbers[places[found]] == below[found]
    return Mirrored(whole, np.where(found, places, np.searchsorted(numbers, above)))
