"""Linear functions of an array whose matrix is constant: found once by applying the function to unit vectors.

The value is the library's own; the derivative is that of a product with the sparse matrix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsejac.errors import UntraceableError
from sparsejac.kept import Kept
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.numpy_rules.products import sparse_product
from sparsejac.tracing.trace import Trace, untraced

Array = npt.NDArray[Any]
Function = Callable[[Array], Any]

LIMIT = 4_000_000
"""The most entries that the matrix of one call may have."""

_PROBING = 64_000_000
"""The most numbers that the probes for one matrix may look at."""

_NOISE = 1e-13
"""Entries of transforms that are smaller than this part of the largest one are zeros that were rounded."""

_KEPT: Kept[tuple[Any, Any]] = Kept(LIMIT, lambda made: made[0].nnz)


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
    trace: Trace, name: str, function: Function, array: Any, reach: Sequence[int | None], key: tuple[Any, ...], *,
    clean: bool = False,
) -> Any:  # fmt: skip
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
    clean : bool
        Whether rounded zeros of the matrix are taken for the zeros that they are.
    """
    array = real_array(trace, name, array)
    (value,) = called(trace, name, function, array, key=key)

    def find() -> tuple[Any, Any]:
        return _matrix(trace, name, function, array.shape, reach, _NOISE if clean else 0.0)

    matrix, shape = _kept((name, key, array.shape, tuple(reach)), find)
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
    trace: Trace, name: str, function: Function, shape: tuple[int, ...], reach: Sequence[int | None], noise: float
) -> tuple[Any, tuple[int, ...]]:
    """The sparse matrix, and the shape of the result."""
    offset = np.asarray(function(np.zeros(shape)))
    periods = [n if r is None else min(2 * r + 1, n) for n, r in zip(shape, reach, strict=True)]
    if prod(periods) * max(offset.size, prod(shape)) > _PROBING:
        raise _too_large(trace, name)
    parts = []
    for start in product(*map(range, periods)):
        seeds = np.zeros(shape)
        seeds[tuple(slice(s, None, p) for s, p in zip(start, periods, strict=True))] = 1.0
        response = np.asarray(function(seeds)) - offset
        parts.append(_entries(response, start, periods, shape, noise))
        _check_size(trace, name, sum(len(part[0]) for part in parts))
    data, rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True)) if parts else np.zeros((3, 0))
    places = rows.astype(np.int64), columns.astype(np.int64)
    matrix = sp.csr_array(sp.coo_array((data, places), shape=(offset.size, prod(shape))))
    _check_matrix(trace, name, function, matrix, offset, shape)
    return matrix, offset.shape


def _entries(
    response: Array, start: Sequence[int], periods: Sequence[int], shape: tuple[int, ...], noise: float
) -> tuple[Array, Array, Array]:
    """Entries, rows and columns that one probe shows."""
    if noise and response.size:
        response[np.abs(response) <= noise * np.abs(response).max()] = 0.0
    rows = np.flatnonzero(response)
    if tuple(periods) == shape:
        column = np.ravel_multi_index(tuple(start), shape) if shape else 0
        columns = np.full(len(rows), column)
    else:
        where = np.unravel_index(rows, response.shape)
        sources = [_nearest(*places) for places in zip(where, start, periods, shape, strict=True)]
        columns = np.ravel_multi_index(sources, shape)
    return response.reshape(-1)[rows], rows, columns


def _nearest(places: Array, start: int, period: int, length: int) -> Array:
    """Of the seeded places along an axis, the one next to each place of the result."""
    if period == length:
        return np.full(len(places), start)
    half = period // 2
    nearest = places - half + (start - (places - half)) % period
    inside: Array = np.clip(nearest, 0, length - 1)
    return inside


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
        raise _too_large(trace, name)


def _too_large(trace: Trace, name: str) -> UntraceableError:
    return trace.refusal(
        f"{name} of so many values that depend on x",
        f"the matrix of its derivative would need more than {LIMIT} entries, or too many probes",
        "use shorter pieces, a shorter filter, or add the result to the unknowns and its equations to f",
    )


def _kept(key: Any, find: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Matrices of this and of earlier traces."""

    def make() -> tuple[Any, Any]:
        with untraced(), np.errstate(all="ignore"):
            return find()

    return _KEPT.get(repr(key), make)


def described(trace: Trace, name: str, options: dict[str, Any]) -> tuple[Any, ...]:
    """Options of a function as a key: arrays by their content."""
    return tuple((key, _described(trace, name, key, option)) for key, option in sorted(options.items()))


def _described(trace: Trace, name: str, key: str, option: Any) -> Any:
    if option is None or isinstance(option, str | int | float | complex | np.generic):
        return option
    if isinstance(option, tuple) and any(isinstance(part, str) for part in option):
        return tuple(_described(trace, name, key, part) for part in option)
    if isinstance(option, np.ndarray | list | tuple):
        array = np.asarray(option)
        if array.dtype.kind in "biufcU":
            return array.shape, array.dtype.str, hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()
    raise trace.refusal(f"{name} with this {key}", "its matrix could not be kept", "give numbers, arrays or names")
