"""NumPy's Cholesky and QR factorizations, and the derivatives of all triangular ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from sparsejac.tracing.base import plain
from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg.operators import (
    Array,
    adjoint,
    check_size,
    hermitian,
    inverse,
    is_complex,
    operand,
    result,
    results,
    triangle,
)
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

_QR = type(np.linalg.qr(np.eye(1)))

ONE_TRIANGLE = "of what is computed: the triangle that is not read has derivative zero and no entry"
PIVOTS = "by the matrix, with the pivots that were chosen (a decision)"


@traces(np.linalg.cholesky, convention=ONE_TRIANGLE)
def _cholesky(trace: Trace, a: Any, /, *, upper: bool = False) -> Any:
    a = operand(trace, a)
    lower = not plain(upper)
    factor = partial(np.linalg.cholesky, upper=not lower)
    found = result(trace, "np.linalg.cholesky", factor, a, key=(lower,), again=partial(_cholesky, upper=not lower))
    return cholesky_derived(trace, "np.linalg.cholesky", found, a, lower)


def cholesky_derived(trace: Trace, name: str, found: Any, a: Any, lower: bool) -> Any:
    """The Cholesky factor of the Hermitian matrix in one triangle of `a`, with its derivative."""
    check_size(trace, name, *a.shape, a.shape[-1])
    factor = triangle(found if lower else adjoint(found), lower=True)
    back = triangular_inverse(trace, factor, lower=True)
    change = back @ hermitian(a, lower) @ adjoint(back)
    halved = triangle(change, lower=True) * (1.0 - np.eye(a.shape[-1]) / 2)
    surrogate = factor @ halved
    return derived(trace, found, surrogate if lower else adjoint(surrogate))


def triangular_inverse(trace: Trace, a: Any, lower: bool) -> Any:
    """The inverse of triangular matrices as a factor of derivatives, known to be zero on the other side."""
    return triangle(inverse(trace, a), lower)


@traces(np.linalg.qr, convention="in the signs of LAPACK; NaN where the triangular factor is singular")
def _qr(trace: Trace, a: Any, mode: str = "reduced") -> Any:
    a = operand(trace, a)
    if mode not in ("reduced", "complete", "r"):
        raise trace.refusal(f"np.linalg.qr with mode={mode!r}", "there is no rule for it", "use mode='reduced'")
    orthogonal, upper = results(trace, "np.linalg.qr", _reduced_qr, a, again=_again)
    rows, columns = a.shape[-2:]
    if mode == "complete" and rows > columns:
        raise complete_refused(trace, "np.linalg.qr with mode='complete' of a tall matrix", "mode='reduced'")
    q, r = qr_derived(trace, "np.linalg.qr", orthogonal, upper, a)
    return r if mode == "r" else _QR(q, r)


def _again(trace: Trace, a: Any) -> tuple[Any, Any]:
    q, r = _qr(trace, a)
    return q, r


def complete_refused(trace: Trace, what: str, cure: str) -> Exception:
    """The refusal of bases of what a matrix does not reach."""
    return trace.refusal(
        what, "the further columns are any basis of what is left, and have no derivative of their own", f"use {cure}"
    )


def _reduced_qr(a: Array) -> tuple[Array, Array]:
    return tuple(np.linalg.qr(a))  # type: ignore[return-value]


def qr_derived(trace: Trace, name: str, orthogonal: Any, upper: Any, a: Any) -> tuple[Any, Any]:
    """Reduced QR factors with their derivatives."""
    rows, columns = a.shape[-2:]
    check_size(trace, name, *a.shape, min(rows, columns))
    if rows < columns:
        q, first = qr_derived(trace, name, orthogonal, upper[..., :rows], a[..., :rows])
        rest = derived(trace, upper[..., rows:], adjoint(q) @ a[..., rows:])
        return q, np.concatenate([first, rest], axis=-1)
    upper = triangle(upper, lower=False)
    scaled = a @ triangular_inverse(trace, upper, lower=False)
    inner = adjoint(orthogonal) @ scaled
    turned = rotation(inner)
    outside = 0.0 if rows == columns else scaled - orthogonal @ inner
    surrogate = orthogonal @ turned + outside
    return derived(trace, orthogonal, surrogate), derived(trace, upper, triangle(inner - turned, lower=False) @ upper)


def rotation(inner: Any) -> Any:
    """The skew matrix with the lower triangle of `inner`, and with the phases that keep a diagonal real."""
    below = triangle(inner, lower=True, strict=True)
    turned = below - adjoint(below)
    return turned + 1j * np.imag(inner) * np.eye(inner.shape[-1]) if is_complex(inner) else turned


def lu_derived(trace: Trace, name: str, lower: Any, upper: Any, permuted: Any) -> tuple[Any, Any]:
    """The factors of ``lower @ upper == permuted``, of any shape, with their derivatives."""
    rows, columns = permuted.shape[-2:]
    size = min(rows, columns)
    check_size(trace, name, *permuted.shape, size)
    unit, square = triangle(lower[..., :size, :], lower=True), triangle(upper[..., :size], lower=False)
    left = triangular_inverse(trace, unit, lower=True)
    right = triangular_inverse(trace, square, lower=False)
    change = left @ permuted[..., :size, :size] @ right
    below = unit @ triangle(change, lower=True, strict=True)
    above = triangle(change, lower=False) @ square
    if rows > size:
        below = np.concatenate([below, (permuted[..., size:, :] - lower[..., size:, :] @ above) @ right], axis=-2)
    if columns > size:
        further = permuted[..., size:] - triangle(below, lower=True) @ upper[..., size:]
        above = np.concatenate([above, left @ further], axis=-1)
    return derived(trace, lower, below), derived(trace, upper, above)
