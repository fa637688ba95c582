"""How sparse matrices come to hold values that depend on x: SciPy's classes and the functions that build from parts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.linalg.operators import check_size
from sparsejac.tracing.linalg.sparse_matrices import TracedSparse, class_named, converted
from sparsejac.tracing.numpy_rules.products import check_is_matrix
from sparsejac.tracing.registry import MAKERS, follows
from sparsejac.tracing.trace import Trace, current_trace

_COMPRESSED = ("csr", "csc")


class _Construction(type):
    """The class of what stands for SciPy's classes: calls of the user's with traced entries are followed."""

    original: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or all_plain((args, kwargs)):
            return cls.original(*args, **kwargs)  # not by plain(): a matrix may share the memory of an array
        trace.begin()
        return _constructed(trace, cls.original, *args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.original)

    def __subclasscheck__(cls, subclass: Any) -> bool:
        return issubclass(subclass, cls.original)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.original, name)


def _class(original: Any) -> Any:
    return _Construction(original.__name__, (), {"original": original, "__doc__": original.__doc__})


for _format in ("csr", "csc", "coo", "dia"):
    for _kind in ("array", "matrix"):
        MAKERS["scipy.sparse", f"{_format}_{_kind}"] = _class


def _constructed(
    trace: Trace, like: Any, arg1: Any, shape: Any = None, dtype: Any = None, copy: Any = False, **others: Any
) -> TracedSparse:
    format_name = like.__name__[:3]
    _check_dtype(trace, like.__name__, dtype)
    if sp.issparse(arg1):
        matrix = converted(trace, arg1)
        return TracedSparse(trace, matrix.shape, matrix.rows, matrix.columns, matrix.entries, like)
    size = None if shape is None else tuple(plain(shape))
    if isinstance(arg1, tuple) and len(arg1) == 2 and format_name == "dia":
        return _from_places(trace, like, lambda data: sp.dia_array((data, plain(arg1[1])), shape=size), [arg1[0]])
    if isinstance(arg1, tuple) and len(arg1) == 2:
        check_is_matrix(trace, len(arg1[1]))
        rows, columns = (np.asarray(plain(places)) for places in arg1[1])
        return _from_entries(trace, like, arg1[0], rows, columns, size)
    if isinstance(arg1, tuple) and len(arg1) == 3 and format_name in _COMPRESSED:
        inner, start = (np.asarray(plain(places)) for places in arg1[1:])
        outer = np.repeat(np.arange(len(start) - 1), np.diff(start))
        if size is None:
            length = int(inner.max(initial=-1)) + 1
            size = (len(start) - 1, length) if format_name == "csr" else (length, len(start) - 1)
        rows, columns = (outer, inner) if format_name == "csr" else (inner, outer)
        return _from_entries(trace, like, arg1[0], rows, columns, size)
    given = as_array(trace, arg1)
    dense = given if like.__name__.endswith("array") else np.atleast_2d(given)
    check_is_matrix(trace, dense.ndim)
    rows, columns = np.indices(dense.shape).reshape(2, -1)
    return _from_entries(trace, like, dense.ravel(), rows, columns, dense.shape)


def _check_dtype(trace: Trace, name: str, dtype: Any) -> None:
    if dtype is not None and np.dtype(dtype) not in (np.float64, np.complex128):
        raise trace.refusal(f"{name} with dtype=", "only double precision is followed", "leave dtype out")


def _from_entries(trace: Trace, like: Any, data: Any, rows: Any, columns: Any, size: Any) -> TracedSparse:
    entries = as_array(trace, data)
    if entries.ndim != 1 or not len(entries) == len(rows) == len(columns):
        raise ValueError("row, column, and data array must all be the same length")
    if size is None:
        size = tuple(int(places.max(initial=-1)) + 1 for places in (rows, columns))
    return TracedSparse(trace, size, rows, columns, entries * 1.0 if entries.kind in "bi" else entries, like)


def _from_places(trace: Trace, like: Any, build: Callable[..., Any], arrays: Sequence[Any]) -> TracedSparse:
    """What a function that only moves entries builds: it is asked where they go, counted from one."""
    vectors = [as_array(trace, a) for a in arrays]
    starts = np.cumsum([1] + [v.size for v in vectors])
    places = [np.arange(s, s + v.size, dtype=float).reshape(v.shape) for s, v in zip(starts, vectors, strict=False)]
    built = sp.coo_array(build(*places))
    entries = np.concatenate([v.ravel() for v in vectors])[built.data.astype(np.int64) - 1]
    return TracedSparse(trace, built.shape, built.row, built.col, entries, like)


def _class_of(format: Any, default: str, is_array: bool) -> Any:
    return class_named(f"{plain(format) or default}_{'array' if is_array else 'matrix'}")


def _diagonals(trace: Trace, name: str, diagonals: Any, is_array: bool, format: Any, options: dict[str, Any]) -> Any:
    build = getattr(sp, name)
    like = _class_of(format, "dia", is_array)
    options = plain(options)
    if isinstance(diagonals, list | tuple) and all(np.ndim(d) > 0 for d in diagonals):
        return _from_places(trace, like, lambda *d: build(list(d), **options), diagonals)
    return _from_places(trace, like, lambda d: build(d, **options), [diagonals])


@follows("scipy.sparse", "diags")
def _diags(
    trace: Trace, diagonals: Any, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None
) -> Any:
    _check_dtype(trace, "scipy.sparse.diags", dtype)
    return _diagonals(trace, "diags", diagonals, False, format, {"offsets": offsets, "shape": shape})


@follows("scipy.sparse", "diags_array")
def _diags_array(
    trace: Trace, diagonals: Any, /, *, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None
) -> Any:
    _check_dtype(trace, "scipy.sparse.diags_array", dtype)
    return _diagonals(trace, "diags_array", diagonals, True, format, {"offsets": offsets, "shape": shape})


@follows("scipy.sparse", "spdiags")
def _spdiags(trace: Trace, data: Any, diags: Any, m: Any = None, n: Any = None, format: Any = None) -> Any:
    build, options = sp.spdiags, plain((diags, m, n))
    return _from_places(trace, _class_of(format, "dia", False), lambda d: build(d, *options), [data])


@follows("scipy.sparse", "kron")
def _kron(trace: Trace, A: Any, B: Any, format: Any = None) -> TracedSparse:
    is_array = _makes_array("kron", A, B)
    left, right = (converted(trace, m if sp.issparse(m) else _dense(trace, m)) for m in (A, B))
    check_size(trace, "scipy.sparse.kron", len(left.rows), len(right.rows))
    first = np.repeat(np.arange(len(left.rows)), len(right.rows))
    second = np.tile(np.arange(len(right.rows)), len(left.rows))
    shape = (left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])
    rows = left.rows[first] * right.shape[0] + right.rows[second]
    columns = left.columns[first] * right.shape[1] + right.columns[second]
    entries = left.entries[first] * right.entries[second]
    return TracedSparse(trace, shape, rows, columns, entries, _class_of(format, "csr", is_array))


def _dense(trace: Trace, array: Any) -> Any:
    return sp.coo_array(plain(array)) if all_plain(array) else _constructed(trace, class_named("coo_matrix"), array)


def _stacking(name: str) -> None:
    """Follow a function that puts blocks together."""

    @follows("scipy.sparse", name)
    def follow(trace: Trace, blocks: Any, format: Any = None, dtype: Any = None) -> TracedSparse:
        _check_dtype(trace, f"scipy.sparse.{name}", dtype)
        matrices: list[TracedSparse] = []
        build = getattr(sp, name)

        def mark(block: Any) -> Any:
            if isinstance(block, list | tuple) and not all(np.ndim(b) == 0 and not sp.issparse(b) for b in block):
                return [mark(b) for b in block]
            if block is None:
                return None
            matrix = converted(trace, block if sp.issparse(block) else _dense(trace, block))
            start = 1 + sum(len(m.rows) for m in matrices)
            matrices.append(matrix)
            places = np.arange(start, start + len(matrix.rows), dtype=float)
            return sp.coo_array((places, (matrix.rows, matrix.columns)), shape=matrix.shape)

        is_array = _makes_array(name, *_flattened(blocks))
        built = sp.coo_array(build([mark(block) for block in blocks]))
        entries = np.concatenate([m.entries for m in matrices])[built.data.astype(np.int64) - 1]
        return TracedSparse(trace, built.shape, built.row, built.col, entries, _class_of(format, "coo", is_array))


def _makes_array(name: str, *parts: Any) -> bool:
    """Whether SciPy would put parts together to one of the newer classes, for which ``*`` is another product."""
    if name == "block_array":
        return True
    if any(sp.issparse(part) for part in parts):
        return any(isinstance(part, sp.sparray) for part in parts)
    return name in ("kron", "block_diag") and _makes_array_of_dense(name)


@cache
def _makes_array_of_dense(name: str) -> bool:
    """What it makes of ordinary arrays alone: SciPy 1.18 announces a change."""
    one = np.eye(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return isinstance(sp.kron(one, one) if name == "kron" else sp.block_diag([one]), sp.sparray)


def _flattened(blocks: Any) -> list[Any]:
    if isinstance(blocks, list | tuple):
        return [block for part in blocks for block in _flattened(part)]
    return [blocks]


for _name in ("block_diag", "hstack", "vstack", "bmat", "block_array"):
    _stacking(_name)


def _triangle(name: str, side: int) -> None:
    """Follow a function that keeps what lies on one side of a diagonal."""

    @follows("scipy.sparse", name)
    def follow(trace: Trace, A: Any, k: Any = 0, format: Any = None) -> TracedSparse:
        matrix = converted(trace, A if sp.issparse(A) else _dense(trace, A))
        kept = np.flatnonzero(side * (matrix.columns.astype(np.int64) - matrix.rows - plain(k)) >= 0)
        like = _class_of(format, "coo", isinstance(A, sp.sparray))
        return TracedSparse(trace, matrix.shape, matrix.rows[kept], matrix.columns[kept], matrix.entries[kept], like)


_triangle("tril", -1)
_triangle("triu", 1)


@follows("scipy.sparse", "kronsum")
def _kronsum(trace: Trace, A: Any, B: Any, format: Any = None) -> TracedSparse:
    is_array = any(isinstance(part, sp.sparray) for part in (A, B))
    left, right = (converted(trace, m if sp.issparse(m) else _dense(trace, m)) for m in (A, B))
    for name, part in (("A", left), ("B", right)):
        if part.shape[0] != part.shape[1]:
            raise ValueError(f"{name} is not square")
    inside = _kron(trace, sp.eye_array(right.shape[0]), left)
    total: TracedSparse = inside + _kron(trace, right, sp.eye_array(left.shape[0]))
    return TracedSparse(
        trace, total.shape, total.rows, total.columns, total.entries, _class_of(format, "csr", is_array)
    )
