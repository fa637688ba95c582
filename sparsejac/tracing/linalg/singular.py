"""Singular values and vectors, and what NumPy makes of them: pseudoinverses, least squares, norms, ranks."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from sparsejac.tracing.base import given, plain
from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg import operators
from sparsejac.tracing.linalg.factorizations import complete_refused
from sparsejac.tracing.linalg.operators import (
    EPSILON,
    Array,
    adjoint,
    check_size,
    decided,
    diagonal,
    inverse,
    operand,
    result,
    results,
    step,
)
from sparsejac.tracing.linalg.spectral import VECTORS, gaps_of, inverse_gaps, inverses
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

_SVD = type(np.linalg.svd(np.eye(1)))

AT_ZERO = "a singular value at 0: 0, the middle of its slopes"
RANK = "the rank is a decision, and stays as it is"


@traces(np.linalg.svd, convention=f"{VECTORS}; {AT_ZERO}")
def _svd(trace: Trace, a: Any, full_matrices: Any = True, compute_uv: Any = True, hermitian: Any = False) -> Any:
    if plain(hermitian):
        raise trace.refusal("np.linalg.svd with hermitian=True", "there is no rule for it", "use np.linalg.eigh")
    if not plain(compute_uv):
        return singular_values(trace, "np.linalg.svd", a, lambda m: np.linalg.svd(m, compute_uv=False))
    return _SVD(*svd_derived(trace, "np.linalg.svd", a, _reduced_svd, bool(plain(full_matrices))))


@traces(np.linalg.svdvals, convention=AT_ZERO)
def _svdvals(trace: Trace, x: Any, /) -> Any:
    return singular_values(trace, "np.linalg.svdvals", x, np.linalg.svdvals)


def _reduced_svd(a: Array) -> tuple[Array, ...]:
    return tuple(np.linalg.svd(a, full_matrices=False))


def svd_derived(
    trace: Trace, name: str, a: Any, function: Callable[[Array], tuple[Array, ...]], full: bool,
    key: tuple[object, ...] = (),
) -> tuple[Any, Any, Any]:  # fmt: skip
    """The factors of the decomposition that `function` computes, with their derivatives."""
    a = operand(trace, a)
    rows, columns = a.shape[-2:]

    def again(trace: Trace, a: Any) -> tuple[Any, ...]:
        return svd_derived(trace, name, a, function, full=False, key=key)

    left, values, right = results(trace, name, function, a, key=key, again=again)
    if full and rows != columns:
        raise complete_refused(trace, f"{name} with full_matrices=True of a matrix that is not square", _REDUCED)
    inner = _between(trace, name, left, a, right)
    even = (inner + adjoint(inner)) / 2 * inverses(trace, "inverse gaps", inverse_gaps, gaps_of, values)
    odd = (inner - adjoint(inner)) / 2 * inverses(trace, "inverse sums", _inverse_sums, _sums_of, values)
    turned_left, turned_right = left @ (even + odd), (odd - even) @ right
    if rows != columns:
        shrunk = inverses(trace, "reciprocal", np.reciprocal, lambda numbers: numbers, values)
        turned_left += (a @ adjoint(right) - left @ inner) * shrunk[..., None, :] if rows > columns else 0.0
        turned_right += (adjoint(left) @ a - inner @ right) * shrunk[..., None] if rows < columns else 0.0
    moved = _slopes(trace, values, inner)
    return derived(trace, left, turned_left), derived(trace, values, moved), derived(trace, right, turned_right)


_REDUCED = "full_matrices=False"


def singular_values(
    trace: Trace, name: str, a: Any, function: Callable[[Array], Array], key: tuple[object, ...] = ()
) -> Any:
    """The singular values that `function` computes, with their derivatives."""
    a = operand(trace, a)
    found = result(trace, f"singular values by {name}", function, a, key=key)

    def again(trace: Trace, a: Any) -> tuple[Any, ...]:
        return svd_derived(trace, "np.linalg.svd", a, _reduced_svd, full=False)

    left, values, right = results(trace, "np.linalg.svd", _reduced_svd, a, again=again)
    return derived(trace, found, _slopes(trace, values, _between(trace, name, left, a, right)))


def _between(trace: Trace, name: str, left: Any, a: Any, right: Any) -> Any:
    """The matrix seen from its singular vectors."""
    check_size(trace, name, *a.shape, min(a.shape[-2:]))
    return adjoint(left) @ (a @ adjoint(right))


def _slopes(trace: Trace, values: Any, inner: Any) -> Any:
    return np.real(diagonal(inner)) * step(trace, "sign", np.sign, values)


def _sums_of(values: Any) -> Any:
    return values[..., None, :] + values[..., :, None]


def _inverse_sums(values: Array) -> Array:
    """One over the sum of each two; 0 for one with itself where it is 0."""
    sums = _sums_of(values)
    return np.asarray(np.where(np.eye(values.shape[-1]) * (sums == 0.0), 0.0, 1.0 / sums))


@traces(np.linalg.pinv, convention=RANK)
def _pinv(trace: Trace, a: Any, rcond: Any = None, hermitian: Any = False, *, rtol: Any = np._NoValue) -> Any:
    a = operand(trace, a)
    if plain(hermitian):
        a = operators.hermitian(a, lower=True)
    cut = plain(rcond) if rcond is not None else plain(rtol) if given(rtol) else None
    key = (None if cut is None else repr(np.asarray(cut).tolist()),)
    options = {} if cut is None else {"rcond": cut}
    call = lambda m: np.linalg.pinv(m, **options)  # noqa: E731
    return pseudoinverse_derived(trace, "np.linalg.pinv", call, a, key)[0]


def pseudoinverse_derived(
    trace: Trace, name: str, function: Callable[[Array], Array], a: Any, key: tuple[object, ...],
    read: Callable[[Any], Any] = lambda matrix: matrix,
) -> tuple[Any, Array]:  # fmt: skip
    """A pseudoinverse with the derivative that it has among matrices of its rank, and the rank.

    `read` gives the matrix that the function reads out of an array.
    """

    def held(trace: Trace, a: Any) -> Any:
        def again(trace: Trace, a: Any) -> Any:
            # Of any rank: what a full rank does without is zero then.
            return _among_its_rank(trace, held(trace, a), read(a), full=False)

        return result(trace, name, function, a, key=key, again=again)

    check_size(trace, name, *a.shape, max(a.shape[-2:]))
    found = held(trace, a)
    rank = _check_cut(trace, name, found, read(a))
    full = bool(np.all(rank == min(a.shape[-2:])))
    return _among_its_rank(trace, found, read(a), full=full), rank


def _among_its_rank(trace: Trace, found: Any, a: Any, *, full: bool) -> Any:
    """A pseudoinverse with its derivative."""
    raised, turned = found @ adjoint(found), adjoint(found) @ found
    surrogate = -found @ (a @ found)
    rows, columns = a.shape[-2:]
    if not full or rows > columns:
        outside = np.eye(rows) - operators.held(trace, a) @ found
        surrogate = surrogate + raised @ (adjoint(a) @ outside)
    if not full or rows < columns:
        outside = np.eye(columns) - found @ operators.held(trace, a)
        surrogate = surrogate + outside @ adjoint(a) @ turned
    return derived(trace, found, surrogate)


def _check_cut(trace: Trace, name: str, found: Any, a: Any) -> Array:
    """Decide on the rank; refuse where singular values were cut that are not zero."""
    rank, cut = decided(trace, result(trace, "rank of the pseudoinverse", _rank_of, a, found)).T
    if cut.any():
        raise trace.refusal(
            f"{name} that cuts singular values other than zero",
            "there is no rule for it",
            "compose it from np.linalg.svd(a, full_matrices=False)",
        )
    return np.asarray(rank)


def _rank_of(a: Array, found: Array) -> Array:
    """The rank that a pseudoinverse was given, and whether it cut more than rounding."""
    values = np.linalg.svd(a, compute_uv=False)
    rank = np.rint(np.real(np.trace(found @ a, axis1=-2, axis2=-1)))
    largest = values.max(axis=-1, initial=0.0)
    beyond = np.arange(values.shape[-1]) >= rank[..., None]
    smallest = 10 * max(a.shape[-2:]) * EPSILON * largest[..., None]
    return np.stack([rank, (beyond & (values > smallest)).any(axis=-1).astype(float)], axis=-1)


@traces(np.linalg.lstsq, convention=RANK)
def _lstsq(trace: Trace, a: Any, b: Any, rcond: Any = None) -> Any:
    a, b, cut = operand(trace, a), operand(trace, b), plain(rcond)
    call = lambda m, r: np.linalg.lstsq(m, r, rcond=cut)  # noqa: E731
    found = held_solution(trace, "np.linalg.lstsq", call, a, b, (cut,))
    values = singular_values(trace, "np.linalg.lstsq", a, np.linalg.svdvals)
    return least_squares(trace, "np.linalg.lstsq", found, a, b, values)


def held_solution(
    trace: Trace, name: str, function: Callable[..., Any], a: Any, b: Any, key: tuple[object, ...]
) -> tuple[Any, ...]:
    """What a solver of least squares gives, without derivatives: the solution, residuals, the rank, and more."""

    def again(trace: Trace, a: Any, b: Any) -> tuple[Any, ...]:
        solution, *rest = held_solution(trace, name, function, a, b, key)
        columns = (part.reshape(len(part), -1) for part in (solution, b))
        moved = _solution_derived(trace, next(columns), next(columns), a, rest[1], full=(False, False))
        return moved.reshape(solution.shape), *rest

    return results(trace, name, function, a, b, key=key, again=again)


def least_squares(
    trace: Trace, name: str, found: tuple[Any, ...], a: Any, b: Any, values: Any
) -> tuple[Any, Any, int, Any]:
    """Solution, residuals, rank and singular values with their derivatives; `found` holds them without."""
    rank = int(decided(trace, found[2]))
    rows, columns = a.shape
    right, solution = (part[:, None] if part.ndim == 1 else part for part in (b, found[0]))
    check_size(trace, name, rows, columns, max(rows, columns, right.shape[1]))
    _check_cut(trace, name, _of_rank(trace, a, rank), a)
    moved = _solution_derived(trace, solution, right, a, rank, full=(rank == rows, rank == columns))
    left = found[1]
    if left.size:
        residual = right - a @ solution
        left = derived(trace, left, np.sum(np.real(np.conj(residual) * residual), axis=0).reshape(left.shape))
    return moved.reshape(found[0].shape), left, rank, values


def _solution_derived(trace: Trace, solution: Any, right: Any, a: Any, rank: Any, full: tuple[bool, bool]) -> Any:
    """A solution of least squares with its derivative; `full`: whether there are as many rows or columns as the rank.

    What a full rank does without is zero then.
    """
    back = _of_rank(trace, a, rank)
    residual = right - a @ solution
    surrogate = back @ residual
    still = operators.held(trace, residual)
    if not full[0]:
        surrogate = surrogate + (back @ adjoint(back)) @ (adjoint(a) @ still)
    if not full[1]:
        outside = np.eye(a.shape[1]) - back @ operators.held(trace, a)
        surrogate = surrogate + outside @ (adjoint(a) @ (adjoint(back) @ solution))
    return derived(trace, solution, surrogate)


def _of_rank(trace: Trace, a: Any, rank: Any) -> Any:
    """The pseudoinverse by as many of the largest singular values as the rank, as a factor."""

    def again(trace: Trace, a: Any, rank: Any) -> Any:
        return _among_its_rank(trace, _of_rank(trace, a, rank), a, full=False)

    return result(trace, "pseudoinverse", _inverse_of_rank, a, rank, again=again)


def _inverse_of_rank(a: Array, rank: Array) -> Array:
    """The pseudoinverse by the largest singular values."""
    left, values, right = np.linalg.svd(a, full_matrices=False)
    count = int(rank)
    return np.asarray((adjoint(right)[:, :count] / values[:count]) @ adjoint(left)[:count])


@traces(np.linalg.matrix_rank, convention="a plain integer; the rank is a decision")
def _matrix_rank(trace: Trace, A: Any, tol: Any = None, hermitian: Any = False, *, rtol: Any = None) -> Any:
    a = operand(trace, A)
    options = {"tol": plain(tol), "hermitian": plain(hermitian)} | ({} if rtol is None else {"rtol": plain(rtol)})
    key = tuple(repr(np.asarray(option).tolist()) for option in options.values())
    found = result(trace, "np.linalg.matrix_rank", lambda m: np.linalg.matrix_rank(m, **options), a, key=key)
    rank = decided(trace, found).astype(np.intp)
    return rank if rank.ndim else rank[()]


@traces(np.linalg.cond, convention="NaN where the matrix is singular")
def _cond(trace: Trace, x: Any, p: Any = None) -> Any:
    a, order = operand(trace, x), plain(p)
    found = result(trace, "np.linalg.cond", lambda m: np.linalg.cond(m, order), a, key=(order,))
    if order in (None, 2, -2):
        values = singular_values(trace, "np.linalg.cond", a, np.linalg.svdvals)
        first, last = values[..., 0], values[..., -1]
        return derived(trace, found, last / first if order == -2 else first / last)
    check_size(trace, "np.linalg.cond", *a.shape, a.shape[-1])
    back = inverse(trace, a)
    back = derived(trace, back, -back @ (a @ back))
    norms = (np.linalg.norm(m, order, axis=(-2, -1)) for m in (a, back))
    return derived(trace, found, prod(norms))
