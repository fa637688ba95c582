"""SciPy's LU, Cholesky and QR factorizations, and the solvers that take their results."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg import solving
from sparsejac.tracing.linalg.factorizations import (
    ONE_TRIANGLE,
    PIVOTS,
    cholesky_derived,
    complete_refused,
    lu_derived,
    qr_derived,
)
from sparsejac.tracing.linalg.operators import Array, decided, operand, result, results, scipy_linalg, step, triangle
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace

Places = npt.NDArray[np.intp]


def _one_matrix(trace: Trace, name: str, a: Any) -> Any:
    matrix = operand(trace, a)
    if matrix.ndim > 2:
        raise trace.refusal(f"{name} of stacked matrices", "there is no rule for it", "write a loop over the matrices")
    return matrix


def _order(pivots: Any, rows: int) -> Places:
    """The permutation that a list of exchanges of rows makes."""
    order = np.arange(rows)
    for k, other in enumerate(pivots):
        order[[k, other]] = order[[other, k]]
    return order


@follows("scipy.linalg", "lu_factor", convention=PIVOTS)
def _lu_factor(trace: Trace, a: Any, overwrite_a: Any = False, check_finite: Any = True) -> tuple[Any, Any]:
    a = _one_matrix(trace, "scipy.linalg.lu_factor", a)
    packed, exchanges = _held_lu_factor(trace, a)
    pivots = decided(trace, exchanges).astype(np.int32)
    return _packed_derived(trace, packed, a[_order(pivots, a.shape[0])]), pivots


def _held_lu_factor(trace: Trace, a: Any) -> tuple[Any, ...]:
    def again(trace: Trace, a: Any) -> tuple[Any, Any]:
        packed, exchanges = _held_lu_factor(trace, a)
        count = len(a)
        call = lambda pivots: np.eye(count)[_order(pivots.astype(int), count)]  # noqa: E731
        rows = step(trace, "exchanged rows", call, exchanges, key=(count,))
        return _packed_derived(trace, packed, rows @ a), exchanges

    call = lambda m: tuple(scipy_linalg.lu_factor(m))  # noqa: E731
    return results(trace, "scipy.linalg.lu_factor", call, a, again=again)


def _packed_derived(trace: Trace, packed: Any, permuted: Any) -> Any:
    """Both factors in one matrix, with their derivatives."""
    rows, columns = permuted.shape
    lower, upper = (np.tril(packed, -1) + np.eye(rows, columns))[:, :rows], np.triu(packed)[:columns]
    below, above = lu_derived(trace, "scipy.linalg.lu_factor", lower, upper, permuted)
    surrogate = _padded(np.tril(below, -1), rows, columns) + _padded(above, rows, columns)
    return derived(trace, packed, surrogate)


def _padded(a: Any, rows: int, columns: int) -> Any:
    """A matrix in the corner of zeros."""
    if a.shape[1] < columns:
        a = np.concatenate([a, np.zeros((a.shape[0], columns - a.shape[1]))], axis=1)
    return a if a.shape[0] == rows else np.concatenate([a, np.zeros((rows - a.shape[0], columns))])


@follows("scipy.linalg", "lu_solve")
def _lu_solve(
    trace: Trace, lu_and_piv: Any, b: Any, trans: Any = 0, overwrite_b: Any = False, check_finite: Any = True
) -> Any:
    packed, right, way = operand(trace, lu_and_piv[0]), operand(trace, b), int(plain(trans))
    pivots = np.asarray(plain(lu_and_piv[1]))

    def call(lu: Array, piv: Array, r: Array) -> Any:
        return scipy_linalg.lu_solve((lu, piv.astype(np.intp)), r, way)

    found = result(trace, "scipy.linalg.lu_solve", call, packed, pivots.astype(np.float64), right, key=(way,))
    if all_plain(packed):
        with np.errstate(all="ignore"):
            operator = call(packed, pivots, np.eye(len(packed)))
        return solving.solved(trace, "scipy.linalg.lu_solve", found, packed, right, operator)
    order, solve = _order(pivots, len(packed)), scipy_linalg.solve_triangular
    if way == 0:
        return derived(trace, found, solve(packed, solve(packed, right[order], lower=True, unit_diagonal=True)))
    unknown = solve(packed, solve(packed, right, way), way, lower=True, unit_diagonal=True)
    return derived(trace, found, unknown[np.argsort(order)])


@follows("scipy.linalg", "lu", convention=PIVOTS)
def _lu(
    trace: Trace, a: Any, permute_l: Any = False, overwrite_a: Any = False, check_finite: Any = True,
    p_indices: Any = False,
) -> tuple[Any, ...]:  # fmt: skip
    a = _one_matrix(trace, "scipy.linalg.lu", a)
    found = _held_lu(trace, a)
    order = decided(trace, found[0]).astype(np.intp)
    lower, upper = lu_derived(trace, "scipy.linalg.lu", found[1], found[2], a[np.argsort(order)])
    if plain(permute_l):
        return lower[order], upper
    return (order if plain(p_indices) else np.eye(len(order))[order]), lower, upper


def _held_lu(trace: Trace, a: Any) -> tuple[Any, ...]:
    """The order of the rows and the factors, without their derivatives."""

    def again(trace: Trace, a: Any) -> tuple[Any, ...]:
        order, lower, upper = _held_lu(trace, a)
        rows = step(trace, "rows in order", lambda order: np.eye(len(order))[np.argsort(order)], order)
        return order, *lu_derived(trace, "scipy.linalg.lu", lower, upper, rows @ a)

    call = lambda m: tuple(scipy_linalg.lu(m, p_indices=True))  # noqa: E731
    return results(trace, "scipy.linalg.lu", call, a, again=again)


@follows("scipy.linalg", "cholesky", convention=ONE_TRIANGLE)
def _cholesky(
    trace: Trace, a: Any, lower: Any = False, overwrite_a: Any = False, check_finite: Any = True
) -> Any:  # fmt: skip
    a, below = operand(trace, a), bool(plain(lower))
    call, again = (lambda m: scipy_linalg.cholesky(m, below)), partial(_cholesky, lower=below)
    found = result(trace, "scipy.linalg.cholesky", call, a, key=(below,), again=again)
    return cholesky_derived(trace, "scipy.linalg.cholesky", found, a, below)


@follows(
    "scipy.linalg",
    "cho_factor",
    convention="the triangle that is not used as SciPy leaves it, with overwrite_a that of a contiguous matrix",
)
def _cho_factor(
    trace: Trace, a: Any, lower: Any = False, overwrite_a: Any = False, check_finite: Any = True
) -> tuple[Any, bool]:
    a, below = operand(trace, a), bool(plain(lower))
    over = bool(plain(overwrite_a))

    def call(m: Array) -> Any:
        return scipy_linalg.cho_factor(m.copy() if over else m, below, over)[0]

    def again(trace: Trace, a: Any) -> Any:
        return _cho_factor(trace, a, below, over)[0]

    found = result(trace, "scipy.linalg.cho_factor", call, a, key=(below, over), again=again)
    factor = triangle(cholesky_derived(trace, "scipy.linalg.cho_factor", triangle(found, below), a, below), below)
    if _keeps_other_triangle(over, a.ndim > 2):
        factor = factor + triangle(a, not below, strict=True)
    return derived(trace, found, factor), below


@cache
def _keeps_other_triangle(over: bool, stacked: bool) -> bool:
    """Whether cho_factor leaves the matrix in the triangle that is not used: SciPy 1.18 only where it overwrites."""
    matrix = np.array([[4.0, 1.0], [1.0, 4.0]])
    return bool(scipy_linalg.cho_factor(matrix[None] if stacked else matrix, False, over)[0][..., 1, 0].any())


@follows("scipy.linalg", "cho_solve")
def _cho_solve(
    trace: Trace, c_and_lower: Any, b: Any, overwrite_b: Any = False, check_finite: Any = True
) -> Any:  # fmt: skip
    factor, right, below = operand(trace, c_and_lower[0]), operand(trace, b), bool(plain(c_and_lower[1]))

    def call(c: Array, r: Array) -> Any:
        return scipy_linalg.cho_solve((c, below), r)

    found = result(trace, "scipy.linalg.cho_solve", call, factor, right, key=(below,))
    if all_plain(factor):
        return solving.solved(
            trace, "scipy.linalg.cho_solve", found, factor, right, call(factor, np.eye(factor.shape[-1]))
        )
    solve = scipy_linalg.solve_triangular
    first, second = (0, 2) if below else (2, 0)
    return derived(trace, found, solve(factor, solve(factor, right, first, lower=below), second, lower=below))


@follows("scipy.linalg", "cho_solve_banded")
def _cho_solve_banded(
    trace: Trace, cb_and_lower: Any, b: Any, overwrite_b: Any = False, check_finite: Any = True
) -> Any:
    if not all_plain(cb_and_lower):
        raise trace.refusal(
            "scipy.linalg.cho_solve_banded with a factor that depends on x",
            "there is no rule for it",
            "use scipy.linalg.solveh_banded",
        )
    factor, right, below = operand(trace, cb_and_lower[0]), operand(trace, b), bool(plain(cb_and_lower[1]))

    def call(c: Array, r: Array) -> Any:
        return scipy_linalg.cho_solve_banded((c, below), r)

    found = result(trace, "scipy.linalg.cho_solve_banded", call, factor, right, key=(below,))
    return solving.solved(
        trace, "scipy.linalg.cho_solve_banded", found, factor, right, call(factor, np.eye(factor.shape[-1]))
    )


@follows("scipy.linalg", "qr", convention="in the signs of LAPACK; NaN where the triangular factor is singular")
def _qr(
    trace: Trace, a: Any, overwrite_a: Any = False, lwork: Any = None, mode: str = "full", pivoting: Any = False,
    check_finite: Any = True,
) -> tuple[Any, ...]:  # fmt: skip
    if mode not in ("full", "economic", "r"):
        raise trace.refusal(f"scipy.linalg.qr with mode={mode!r}", "there is no rule for it", "use mode='economic'")
    chosen = bool(plain(pivoting))
    a = _one_matrix(trace, "scipy.linalg.qr", a) if chosen else operand(trace, a)
    rows, columns = a.shape[-2:]
    if mode == "full" and rows > columns:
        raise complete_refused(trace, "scipy.linalg.qr with mode='full' of a tall matrix", "mode='economic'")

    def call(m: Array) -> tuple[Array, ...]:
        return tuple(scipy_linalg.qr(m, mode="economic", pivoting=chosen))

    def again(trace: Trace, a: Any) -> tuple[Any, ...]:
        orthogonal, upper, *order = results(trace, "scipy.linalg.qr", call, a, key=(chosen,), again=again)
        for places in order:
            a = a @ step(trace, "columns in order", lambda places: np.eye(len(places))[:, places.astype(int)], places)
        return *qr_derived(trace, "scipy.linalg.qr", orthogonal, upper, a), *order

    orthogonal, upper, *order = results(trace, "scipy.linalg.qr", call, a, key=(chosen,), again=again)
    pivots = [decided(trace, order[0]).astype(np.int32)] if chosen else []
    q, r = qr_derived(trace, "scipy.linalg.qr", orthogonal, upper, a[:, pivots[0]] if chosen else a)
    if mode == "r":
        missing = np.zeros((*r.shape[:-2], max(rows - columns, 0), columns))
        return (np.concatenate([r, missing], axis=-2), *pivots)
    return (q, r, *pivots)
