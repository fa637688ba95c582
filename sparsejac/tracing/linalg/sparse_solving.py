"""Solvers of systems with constant sparse matrices, and factorizations of such matrices.

The derivative of a solution is the inverse matrix, which is computed column by column and kept as a sparse matrix: of
a matrix that falls into blocks so does the inverse, otherwise it is full.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import wraps
from types import BuiltinMethodType
from typing import Any

import numpy as np
import scipy.sparse as sp

from kernels.lazy import Lazy, load
from sparsejac.kept import Kept
from sparsejac.patterns.pattern import Pattern
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.linalg.operators import LIMIT, Array, check_size, is_complex, operand, result
from sparsejac.tracing.linalg.sparse_matrices import TracedSparse, converted
from sparsejac.tracing.numpy_rules.products import sparse_product
from sparsejac.tracing.registry import MAKERS, STAND_INS, follows
from sparsejac.tracing.trace import Trace, current_trace

# Most f solve no system, but many programs have imported what could.
RULE, STRUCTURE = Lazy("sparsejac.systems.rule"), Lazy("sparsejac.systems.structure")

_COLUMNS = 256
"""Columns of an inverse that are computed at once."""

_KEPT: Kept[Any] = Kept(8)


def _solvers() -> Any:
    return load("scipy.sparse.linalg")


def _digest(arrays: Iterable[Array], *options: object) -> str:
    state = hashlib.blake2b(repr(options).encode(), digest_size=20)
    for array in arrays:
        state.update(f"{array.shape}{array.dtype};".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def _inverse(trace: Trace, name: str, apply: Callable[[Array], Array], size: int, dtype: Any, key: str) -> Any:
    """The matrix of a linear function of vectors; the last few are kept."""
    return _KEPT.get(key, lambda: _matrix_of(trace, name, apply, size, dtype))


def _matrix_of(trace: Trace, name: str, apply: Callable[[Array], Array], size: int, dtype: Any) -> Any:
    blocks, entries = [], 0
    for start in range(0, size, _COLUMNS):
        unit = np.eye(size, min(_COLUMNS, size - start), -start, dtype=dtype)
        with np.errstate(all="ignore"):
            blocks.append(sp.csc_array(np.asarray(apply(unit)).reshape(unit.shape)))
        entries += blocks[-1].nnz
        check_size(trace, name, entries)
    return sp.csr_array(sp.hstack(blocks)) if blocks else sp.csr_array((0, 0))


def _with_inverse(trace: Trace, name: str, found: Any, inverse: Any, right: Any) -> Any:
    """A solution with its derivative."""
    columns = 1 if right.ndim == 1 else right.shape[1]
    check_size(trace, name, max(inverse.nnz, 1), columns)
    return derived(trace, found, sparse_product(trace, inverse, right).reshape(found.shape))


class _Factors:
    """Solves with a factorization that is known by its numbers, and factors anew where they are others.

    Compiled plans are shared by all programs of one structure, whatever the numbers in it.
    """

    def __init__(self, factors: Any, trans: str) -> None:
        lower, upper = factors.L, factors.U
        self.numbers = (lower.data, upper.data)
        self.structure = (lower.indices, lower.indptr, upper.indices, upper.indptr, factors.perm_r, factors.perm_c)
        self.trans = trans
        self.known = (*self.numbers, factors)

    def __call__(self, lower: Array, upper: Array, right: Array) -> Any:
        known = self.known
        if not (np.array_equal(known[0], lower) and np.array_equal(known[1], upper)):
            known = self.known = (lower, upper, self._factored(lower, upper))
        return known[2].solve(right, self.trans)

    def _factored(self, lower: Array, upper: Array) -> Any:
        """The factorization of the matrix whose factors have these numbers."""
        row, start, column, begin, rows, columns = self.structure
        shape = (len(rows), len(columns))
        product = sp.csc_array((lower, row, start), shape=shape) @ sp.csc_array((upper, column, begin), shape=shape)
        return _solvers().splu(sp.csc_array(product)[rows][:, columns])


class Factorization:
    """Stands for a SuperLU object while f runs; what is traced is followed, all else is handed on.

    Parameters
    ----------
    factors : scipy.sparse.linalg.SuperLU
    """

    __slots__ = ("_factors",)

    def __init__(self, factors: Any) -> None:
        self._factors = factors

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance(lu, SuperLU) holds
        return type(self._factors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._factors, name)

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """As of SuperLU."""
        trace, way = current_trace(), str(plain(trans))
        if trace is None or all_plain(rhs):
            return self._factors.solve(plain(rhs), way)
        trace.begin()
        name, right = "SuperLU.solve", operand(trace, rhs)
        solve = _Factors(self._factors, way)
        structure = _digest(solve.structure, way)
        found = result(trace, name, solve, *solve.numbers, right, key=(structure,))
        key = _digest((*solve.numbers, *solve.structure), way)
        size, dtype = self._factors.shape[0], solve.numbers[1].dtype
        inverse = _inverse(trace, name, lambda unit: self._factors.solve(unit, way), size, dtype, key)
        return _with_inverse(trace, name, found, inverse, right)


def _factoring(original: Callable[..., Any]) -> Callable[..., Any]:
    """A function that factors a constant matrix: its result follows traced right-hand sides."""

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return original(*args, **kwargs)
        if not all_plain((args, kwargs)):
            trace.begin()
            raise trace.refusal(
                f"scipy.sparse.linalg.{original.__name__} of values that depend on x",
                "only constant matrices are factored",
                "use scipy.sparse.linalg.spsolve, or np.linalg.solve of a dense matrix",
            )
        found = original(*plain(args), **plain(kwargs))
        if type(found) is BuiltinMethodType and _is_superlu(found.__self__):
            return Factorization(found.__self__).solve
        return Factorization(found) if _is_superlu(found) else found

    return route


def _is_superlu(obj: Any) -> bool:
    return type(obj).__name__ == "SuperLU"


for _name in ("splu", "spilu", "factorized"):
    MAKERS["scipy.sparse.linalg", _name] = _factoring
STAND_INS["builtins", "SuperLU"] = Factorization


class _Systems:
    """Solves systems with matrices of one structure; the last factorization is kept."""

    def __init__(self, matrix: Any, options: dict[str, Any]) -> None:
        self.indices, self.indptr, self.shape = matrix.indices, matrix.indptr, matrix.shape
        self.options = options
        self.known: tuple[Any, Any] = (None, None)

    def __call__(self, data: Array, right: Array) -> Any:
        known = self.known
        if known[0] is None or not np.array_equal(known[0], data) or np.iscomplexobj(right) != known[1][1]:
            known = self.known = (data, (self._solver(data, np.iscomplexobj(right)), np.iscomplexobj(right)))
        solved = known[1][0](right)
        return solved.ravel() if right.ndim == 2 and right.shape[1] == 1 else solved

    def _solver(self, data: Array, is_complex: bool) -> Callable[[Array], Any]:
        numbers = data.astype(np.complex128) if is_complex else data
        matrix = sp.csc_array((numbers, self.indices, self.indptr), shape=self.shape)
        try:
            return _solvers().splu(matrix, permc_spec=self.options["permc_spec"]).solve  # type: ignore[no-any-return]
        except RuntimeError:  # singular: what spsolve gives then, NaN or a warning
            return lambda right: _solvers().spsolve(matrix, right, **self.options)


@follows("scipy.sparse.linalg", "spsolve")
def _spsolve(trace: Trace, A: Any, b: Any, permc_spec: Any = None, use_umfpack: Any = True) -> Any:
    name = "scipy.sparse.linalg.spsolve"
    if type(A) is TracedSparse:
        return _solved_traced(trace, name, A, operand(trace, b), permc_spec)
    if not all_plain(A):
        return np.linalg.solve(operand(trace, A), operand(trace, b))
    matrix, right = sp.csc_array(plain(A)), operand(trace, b)
    matrix.sum_duplicates()
    if _has_large_inverse(matrix, right):
        return _solved_real(trace, name, converted(trace, matrix), right, permc_spec)
    data = operand(trace, matrix.data)
    systems = _Systems(matrix, {"permc_spec": permc_spec})
    structure = _digest((matrix.indices, matrix.indptr), matrix.shape, permc_spec)
    found = result(trace, name, systems, data, right, key=(structure,))
    size, dtype = matrix.shape[0], np.result_type(data.dtype, right.dtype)
    key = _digest((data, matrix.indices, matrix.indptr), matrix.shape, permc_spec, dtype)
    inverse = _inverse(trace, name, lambda unit: systems(data, unit), size, dtype, key)
    return _with_inverse(trace, name, found, inverse, right)


def _has_large_inverse(matrix: Any, right: Any) -> bool:
    """Whether the inverse of a constant matrix would be too large to be a factor of derivatives."""
    columns = 1 if right.ndim == 1 else right.shape[1]
    if any(map(is_complex, (matrix, right))) or matrix.shape[0] ** 2 * columns <= LIMIT:
        return False
    return bool(STRUCTURE.BlockStructure(Pattern.from_scipy(matrix)).inverse(LIMIT // max(columns, 1)) is None)


def _solved_traced(trace: Trace, name: str, matrix: TracedSparse, right: Any, permc_spec: Any) -> Any:
    """The solution of a system whose matrix has a constant pattern and entries that depend on x."""
    if not any(is_complex(a) for a in (matrix.entries, right)):
        return _solved_real(trace, name, matrix, right, permc_spec)
    size, columns = matrix.shape[0], 1 if right.ndim == 1 else right.shape[1]
    check_size(trace, name, size, size, columns)
    places = sp.csc_array(
        sp.coo_array((np.arange(1.0, len(matrix.rows) + 1), (matrix.rows, matrix.columns)), matrix.shape)
    )
    data = matrix.entries[places.data.astype(np.int64) - 1]
    systems = _Systems(places, {"permc_spec": permc_spec})
    structure = _digest((places.indices, places.indptr), matrix.shape, permc_spec)
    found = result(trace, name, systems, data, right, key=(structure,))
    inverse = result(trace, f"inverse by {name}", lambda d: systems(d, np.eye(size)), data, key=(structure,))
    unknown, residual = (part.reshape(size, columns) for part in (found, right))
    surrogate = (inverse.reshape(size, size) * _joined(matrix)) @ (residual - matrix @ unknown)
    return derived(trace, found, surrogate.reshape(found.shape))


def _solved_real(trace: Trace, name: str, matrix: TracedSparse, right: Any, permc_spec: Any) -> Any:
    """The same of real numbers, by a rule that holds for all derivatives."""
    pattern = Pattern.from_coo(matrix.rows, matrix.columns, matrix.shape)
    places = sp.csc_array(sp.csr_array((np.arange(1, pattern.nnz + 1), pattern.indices, pattern.indptr), matrix.shape))
    order, systems = places.data - 1, _Systems(places, {"permc_spec": permc_spec})

    def solve(data: Array, vector: Array) -> Any:
        return systems(data[order], vector)

    key = (_digest((places.indices, places.indptr), matrix.shape, permc_spec),)
    (found,) = called(trace, name, solve, matrix.entries, right, key=key, rule=RULE.SparseSolve(name, pattern))
    return found


def _joined(matrix: TracedSparse) -> Array:
    """One where an unknown and an equation hang together at all, zero where the inverse must be zero."""
    size = matrix.shape[0]
    graph = sp.coo_array((np.ones(len(matrix.rows)), (matrix.rows, matrix.columns + size)), shape=(2 * size, 2 * size))
    _, part = load("scipy.sparse.csgraph").connected_components(graph, directed=False)
    return np.asarray(part[size:, None] == part[:size], dtype=np.float64)


def _by_matrix(name: str) -> None:
    """Follow a function of a constant sparse matrix and of a vector or matrix in which it is linear."""

    @follows("scipy.sparse.linalg", name)
    def follow(trace: Trace, A: Any, b: Any, *args: Any, **kwargs: Any) -> Any:
        title = f"scipy.sparse.linalg.{name}"
        if not all_plain((A, args, kwargs)) or not sp.issparse(A) or (name == "expm_multiply" and (args or kwargs)):
            raise trace.refusal(
                f"{title} with a matrix or options that depend on x, with intervals, or of an operator",
                "there is no rule for it",
                "use scipy.linalg functions of dense matrices",
            )
        matrix, right = sp.csr_array(plain(A)), operand(trace, b)
        matrix.sum_duplicates()
        numbers = operand(trace, matrix.data)

        def call(data: Array, vector: Array) -> Any:
            known = sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
            return getattr(_solvers(), name)(known, vector, *args, **kwargs)

        options = (matrix.shape, args, tuple(sorted(kwargs.items())))
        structure = _digest((matrix.indices, matrix.indptr), options)
        found = result(trace, title, call, numbers, right, key=(structure,))
        key = _digest((numbers, matrix.indices, matrix.indptr), name, options)
        inverse = _inverse(trace, title, lambda unit: call(numbers, unit), matrix.shape[0], numbers.dtype, key)
        return _with_inverse(trace, title, found, inverse, right)


_by_matrix("spsolve_triangular")
_by_matrix("expm_multiply")
