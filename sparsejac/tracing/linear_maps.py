"""Linear functions of an array whose matrix is constant: found once by applying the function to unit vectors.

The value is the library's own; the derivative is that of a product with the sparse matrix.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.products import sparse_product
from sparsejac.tracing.trace import Trace, untraced

Array = npt.NDArray[Any]
Function = Callable[[Array], Any]

LIMIT = 4_000_000
"""The most entries that the matrix of one call may have."""

_NOISE = 1e-13
"""Entries of transforms that are smaller than this part of the largest one are zeros that were rounded."""

_KEPT: OrderedDict[Any, tuple[Any, Any]] = OrderedDict()
_KEPT_MATRICES = 32


def along_axis(
    trace: Trace, name: str, function: Callable[..., Any], array: Any, axis: int, key: tuple[Any, ...], *,
    clean: bool = False,
) -> Any:  # fmt: skip
    """The derivative of a linear function along one axis, as an expression whose value is of no interest.

    Parameters
    ----------
    trace : Trace
    name : str
    function : callable
        Takes an array and the axis.
    array : traced array
        Real or complex.
    axis : int
    key : tuple
        Options of the function.
    clean : bool
        Whether rounded zeros of the matrix are taken for the zeros that they are.
    """
    axis = int(np.lib.array_utils.normalize_axis_index(axis, array.ndim))
    length, rest = array.shape[axis], array.size // max(array.shape[axis], 1)

    def find() -> tuple[Any, Any]:
        _check_size(trace, name, length * np.size(function(np.zeros(length), 0)) * rest)
        unit = np.eye(length)
        parts = (unit, 1j * unit) if array.kind == "c" else (unit,)
        matrices = [_cleaned(np.asarray(function(part, 0)), clean) for part in parts]
        return matrices[0], matrices[-1]

    real, imag = _kept((name, key, length, array.kind), find)
    _check_size(trace, name, (real.nnz + imag.nnz) * rest)
    moved = np.moveaxis(array, axis, 0).reshape(length, -1)
    result = _product(trace, (real, imag), moved)
    return np.moveaxis(result.reshape(real.shape[0], *array.shape[:axis], *array.shape[axis + 1 :]), 0, axis)


def _product(trace: Trace, matrices: tuple[Any, Any], array: Any) -> Any:
    """The matrix for real parts times these, plus the other one times the imaginary parts."""
    result = sparse_product(trace, matrices[0], array.real)
    return result + sparse_product(trace, matrices[1], array.imag) if array.kind == "c" else result


def _cleaned(dense: Array, clean: bool) -> Any:
    """A matrix as a sparse one."""
    if clean and dense.size:
        for part in (dense.real, dense.imag) if dense.dtype.kind == "c" else (dense,):
            part[np.abs(part) <= _NOISE * np.abs(dense).max()] = 0.0
    return sp.csr_array(dense)


def linear_call(
    trace: Trace, name: str, function: Function, array: Any, reach: Sequence[int | None], key: tuple[Any, ...]
) -> Any:
    """A function of an array that is linear but for an added constant, by its matrix.

    Parameters
    ----------
    trace : Trace
    name : str
    function : callable
        Takes an ordinary array.
    array : array_like
        Traced.
    reach : sequence of int or None
        For each axis how far an element's influence goes; None if it may go anywhere.
    key : tuple
        Options of the function.
    """
    array = real_array(trace, name, array)
    (value,) = called(trace, name, function, array, key=key)
    matrix, shape = _kept(
        (name, key, array.shape, tuple(reach)), lambda: _matrix(trace, name, function, array.shape, reach)
    )
    return derived(trace, value, sparse_product(trace, matrix, array.reshape(-1)).reshape(shape))


def real_array(trace: Trace, name: str, obj: Any) -> Any:
    """An argument as an array of real numbers in double precision."""
    array = as_array(trace, obj)
    if array.kind in "chs":
        raise trace.refusal(
            f"{name} of values of dtype {array.dtype}",
            "there is no rule for it",
            "use float64, and call it for the real and for the imaginary part",
        )
    return array * 1.0 if array.kind in "bi" else array


def _matrix(
    trace: Trace, name: str, function: Function, shape: tuple[int, ...], reach: Sequence[int | None]
) -> tuple[Any, tuple[int, ...]]:
    """The sparse matrix, and the shape of the result."""
    with untraced():
        offset = np.asarray(function(np.zeros(shape)))
        periods = [n if r is None else min(2 * r + 1, n) for n, r in zip(shape, reach, strict=True)]
        rows: list[Array] = []
        columns: list[Array] = []
        entries: list[Array] = []
        found = 0
        for start in product(*map(range, periods)):
            seeds = np.zeros(shape)
            seeds[tuple(slice(s, None, p) for s, p in zip(start, periods, strict=True))] = 1.0
            response = np.asarray(function(seeds)) - offset
            where = np.nonzero(response)
            sources = [_nearest(*args) for args in zip(where, start, periods, shape, strict=True)]
            rows.append(np.ravel_multi_index(where, response.shape))
            columns.append(np.ravel_multi_index(sources, shape))
            entries.append(response[where])
            found += len(entries[-1])
            _check_size(trace, name, found)
        size = (offset.size, prod(shape))
        everything = [np.concatenate(part) if part else np.empty(0, dtype) for part, dtype in _typed(rows, columns)]
        data = np.concatenate(entries) if entries else np.empty(0)
        matrix = sp.csr_array(sp.coo_array((data, tuple(everything)), shape=size))
        _check_matrix(trace, name, function, matrix, offset, shape)
    return matrix, offset.shape


def _typed(rows: list[Array], columns: list[Array]) -> list[tuple[list[Array], Any]]:
    return [(rows, np.int64), (columns, np.int64)]


def _nearest(places: Array, start: int, period: int, length: int) -> Array:
    """Of the seeded places along an axis, the one next to each place of the result."""
    if period == length:
        return np.full(len(places), start)
    half = period // 2
    nearest = places - half + (start - (places - half)) % period
    return np.clip(nearest, 0, length - 1)


def _check_matrix(
    trace: Trace, name: str, function: Function, matrix: Any, offset: Array, shape: tuple[int, ...]
) -> None:
    """Refuse a function that does something else than its matrix."""
    sample = np.random.default_rng(prod(shape)).standard_normal(shape)
    value = np.asarray(function(sample))
    rebuilt = (matrix @ sample.reshape(-1)).reshape(offset.shape) + offset
    size = (abs(matrix) @ np.abs(sample).reshape(-1)).reshape(offset.shape) + np.abs(offset) + 1e-300
    if not bool((np.abs(value - rebuilt) <= 1e-8 * (size + size.max(initial=0.0) * 1e-3)).all()):
        raise trace.refusal(
            name, "with these options it is not the product with one sparse matrix", "write it with slices and sums"
        )


def _check_size(trace: Trace, name: str, entries: int) -> None:
    if entries > LIMIT:
        raise trace.refusal(
            f"{name} of so many values that depend on x",
            f"the matrix of its derivative has more than {LIMIT} entries",
            "use shorter pieces, a shorter filter, or add the result to the unknowns and its equations to f",
        )


def _kept(key: Any, find: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Matrices of this and of earlier traces."""
    key = repr(key)
    if key not in _KEPT:
        _KEPT[key] = find()
        while len(_KEPT) > _KEPT_MATRICES:
            _KEPT.popitem(last=False)
    return _KEPT[key]
