"""SciPy's eigenvalues, singular values, pseudoinverses and norms."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from sparsejac.tracing.base import plain
from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg.factorizations import ONE_TRIANGLE
from sparsejac.tracing.linalg.operators import (
    Array,
    adjoint,
    check_size,
    diagonal,
    hermitian,
    operand,
    result,
    results,
    scipy_linalg,
)
from sparsejac.tracing.linalg.singular import (
    AT_ZERO,
    RANK,
    held_solution,
    least_squares,
    pseudoinverse_derived,
    singular_values,
    svd_derived,
)
from sparsejac.tracing.linalg.spectral import SHARES, VECTORS, eig_derived, gaps_of, inverse_gaps, inverses
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace


@follows("scipy.linalg", "eigh", convention=f"{ONE_TRIANGLE}; {VECTORS}")
def _eigh(
    trace: Trace, a: Any, b: Any = None, *, lower: Any = True, eigvals_only: Any = False, overwrite_a: Any = False,
    overwrite_b: Any = False, type: Any = 1, check_finite: Any = True, subset_by_index: Any = None,
    subset_by_value: Any = None, driver: Any = None,
) -> Any:  # fmt: skip
    if plain(type) != 1 or subset_by_index is not None or subset_by_value is not None:
        raise trace.refusal(
            "scipy.linalg.eigh with type= or a subset", "there is no rule for it", "take a slice of all eigenvalues"
        )
    below, only = bool(plain(lower)), bool(plain(eigvals_only))
    matrices = [operand(trace, m) for m in (a, b) if m is not None]
    key = (below, driver)

    def call(*arrays: Array) -> tuple[Array, ...]:
        return tuple(scipy_linalg.eigh(*arrays, lower=below, driver=driver))

    def call_values(*arrays: Array) -> Any:
        return scipy_linalg.eigh(*arrays, lower=below, driver=driver, eigvals_only=True)

    def again(trace: Trace, *matrices: Any) -> tuple[Any, Any]:
        found: tuple[Any, Any] = _eigh(trace, *matrices, lower=below, driver=driver)
        return found

    values, vectors = results(trace, "scipy.linalg.eigh", call, *matrices, key=key, again=again)
    wanted = result(trace, "scipy.linalg.eigh of values", call_values, *matrices, key=key) if only else values
    check_size(trace, "scipy.linalg.eigh", *matrices[0].shape, matrices[0].shape[-1])
    change = adjoint(vectors) @ (hermitian(matrices[0], below) @ vectors)
    scaling: Any = 0.0
    if b is not None:
        stretch = adjoint(vectors) @ (hermitian(matrices[1], below) @ vectors)
        change = change - stretch * values[..., None, :]
        scaling = stretch * (np.eye(values.shape[-1]) / 2)
    moved = derived(trace, wanted, np.real(diagonal(change)))
    if only:
        return moved
    turned = vectors @ (inverses(trace, "inverse gaps", inverse_gaps, gaps_of, values) * change - scaling)
    return moved, derived(trace, vectors, turned)


@follows("scipy.linalg", "eigvalsh", convention=f"{ONE_TRIANGLE}; {SHARES}")
def _eigvalsh(trace: Trace, a: Any, b: Any = None, **options: Any) -> Any:
    return _eigh(trace, a, b, eigvals_only=True, **options)


@follows("scipy.linalg", "eig", convention="in the norms and phases of LAPACK; NaN where eigenvalues coincide")
def _eig(
    trace: Trace, a: Any, b: Any = None, left: Any = False, right: Any = True, overwrite_a: Any = False,
    overwrite_b: Any = False, check_finite: Any = True, homogeneous_eigvals: Any = False,
) -> Any:  # fmt: skip
    if b is not None or plain(left) or plain(homogeneous_eigvals):
        raise trace.refusal(
            "scipy.linalg.eig with b=, left= or homogeneous_eigvals=",
            "there is no rule for it",
            "use the right eigenvectors of one matrix, np.linalg.solve(b, a)",
        )
    if not plain(right):
        return _eigvals(trace, a)
    values, vectors = eig_derived(trace, "scipy.linalg.eig", operand(trace, a), function=lambda m: scipy_linalg.eig(m))
    return values + 0j, vectors


@follows("scipy.linalg", "eigvals", convention="NaN where eigenvalues coincide")
def _eigvals(
    trace: Trace, a: Any, b: Any = None, overwrite_a: Any = False, check_finite: Any = True,
    homogeneous_eigvals: Any = False,
) -> Any:  # fmt: skip
    if b is not None or plain(homogeneous_eigvals):
        raise trace.refusal(
            "scipy.linalg.eigvals with b= or homogeneous_eigvals=",
            "there is no rule for it",
            "use the eigenvalues of np.linalg.solve(b, a)",
        )
    matrix = operand(trace, a)
    return eig_derived(trace, "scipy.linalg.eigvals", matrix, only_values=lambda m: scipy_linalg.eigvals(m))[0] + 0j


@follows("scipy.linalg", "svd", convention=f"{VECTORS}; {AT_ZERO}")
def _svd(
    trace: Trace, a: Any, full_matrices: Any = True, compute_uv: Any = True, overwrite_a: Any = False,
    check_finite: Any = True, lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    def call(m: Array) -> tuple[Array, ...]:
        return tuple(scipy_linalg.svd(m, full_matrices=False, lapack_driver=lapack_driver))

    if plain(compute_uv):
        return svd_derived(trace, "scipy.linalg.svd", a, call, bool(plain(full_matrices)), key=(lapack_driver,))
    return singular_values(
        trace,
        "scipy.linalg.svd of values",
        a,
        lambda m: scipy_linalg.svd(m, compute_uv=False, lapack_driver=lapack_driver),
        key=(lapack_driver,),
    )


@follows("scipy.linalg", "svdvals", convention=AT_ZERO)
def _svdvals(trace: Trace, a: Any, overwrite_a: Any = False, check_finite: Any = True) -> Any:
    return singular_values(trace, "scipy.linalg.svdvals", a, lambda m: scipy_linalg.svdvals(m))


@follows("scipy.linalg", "pinv", convention=RANK)
def _pinv(
    trace: Trace, a: Any, *, atol: Any = None, rtol: Any = None, return_rank: Any = False, check_finite: Any = True
) -> Any:
    a, key = operand(trace, a), (plain(atol), plain(rtol))
    call = lambda m: scipy_linalg.pinv(m, atol=key[0], rtol=key[1])  # noqa: E731
    inverse, rank = pseudoinverse_derived(trace, "scipy.linalg.pinv", call, a, key)
    return (inverse, int(rank)) if plain(return_rank) else inverse


@follows("scipy.linalg", "pinvh", convention=f"{ONE_TRIANGLE}; {RANK}")
def _pinvh(
    trace: Trace, a: Any, atol: Any = None, rtol: Any = None, lower: Any = True, return_rank: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    a, key = operand(trace, a), (plain(atol), plain(rtol), bool(plain(lower)))
    call = lambda m: scipy_linalg.pinvh(m, atol=key[0], rtol=key[1], lower=key[2])  # noqa: E731
    read = partial(hermitian, lower=key[2])
    inverse, rank = pseudoinverse_derived(trace, "scipy.linalg.pinvh", call, a, key, read)
    return (inverse, int(rank)) if plain(return_rank) else inverse


@follows("scipy.linalg", "lstsq", convention=RANK)
def _lstsq(
    trace: Trace, a: Any, b: Any, cond: Any = None, overwrite_a: Any = False, overwrite_b: Any = False,
    check_finite: Any = True, lapack_driver: Any = None,
) -> Any:  # fmt: skip
    a, b, cut = operand(trace, a), operand(trace, b), plain(cond)

    def call(m: Array, r: Array) -> tuple[Any, ...]:
        return tuple(scipy_linalg.lstsq(m, r, cut, lapack_driver=lapack_driver)[:3])

    found = held_solution(trace, "scipy.linalg.lstsq", call, a, b, (cut, lapack_driver))
    values = None if lapack_driver == "gelsy" else singular_values(trace, "svdvals", a, np.linalg.svdvals)
    return least_squares(trace, "scipy.linalg.lstsq", found, a, b, values)


@follows("scipy.linalg", "norm")
def _norm(
    trace: Trace, a: Any, ord: Any = None, axis: Any = None, keepdims: Any = False, check_finite: Any = True
) -> Any:
    return np.linalg.norm(operand(trace, a), ord, axis, keepdims)
