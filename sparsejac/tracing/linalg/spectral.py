"""Eigenvalues and singular values, their vectors, and what is made of them.

References
----------
Giles: Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from sparsejac.tracing.base import plain
from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg.factorizations import ONE_TRIANGLE
from sparsejac.tracing.linalg.operators import (
    EPSILON,
    Array,
    adjoint,
    check_size,
    decided,
    diagonal,
    hermitian,
    is_complex,
    operand,
    result,
    results,
    step,
)
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

_EIGH = type(np.linalg.eigh(np.eye(1)))
_EIG = type(np.linalg.eig(np.eye(1)))

VECTORS = "vectors turn perpendicular to themselves, in the signs of LAPACK; NaN where values coincide"
SHARES = "where eigenvalues coincide, each has a share that depends on the vectors of LAPACK, and their sum is right"


@traces(np.linalg.eigh, convention=f"{ONE_TRIANGLE}; {VECTORS}")
def _eigh(trace: Trace, a: Any, UPLO: str = "L") -> Any:
    a, side = operand(trace, a), _side(UPLO)
    values, vectors = _held_eigh(trace, a, side)
    change = _rotated(trace, "np.linalg.eigh", vectors, hermitian(a, side == "L"), vectors)
    turned = vectors @ (inverses(trace, "inverse gaps", inverse_gaps, gaps_of, values) * change)
    return _EIGH(derived(trace, values, np.real(diagonal(change))), derived(trace, vectors, turned))


def _held_eigh(trace: Trace, a: Any, side: Any) -> tuple[Any, ...]:
    """Eigenvalues and vectors without their derivatives."""
    call = lambda m: tuple(np.linalg.eigh(m, side))  # noqa: E731
    return results(trace, "np.linalg.eigh", call, a, key=(side,), again=lambda trace, a: tuple(_eigh(trace, a, side)))


@traces(np.linalg.eigvalsh, convention=f"{ONE_TRIANGLE}; {SHARES}")
def _eigvalsh(trace: Trace, a: Any, UPLO: str = "L") -> Any:
    a, side = operand(trace, a), _side(UPLO)
    found = result(trace, "np.linalg.eigvalsh", lambda m: np.linalg.eigvalsh(m, side), a, key=(side,))
    vectors = _held_eigh(trace, a, side)[1]
    change = _rotated(trace, "np.linalg.eigvalsh", vectors, hermitian(a, side == "L"), vectors)
    return derived(trace, found, np.real(diagonal(change)))


def _side(uplo: Any) -> Any:
    side = str(plain(uplo)).upper()
    if side not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return side


def _rotated(trace: Trace, name: str, left: Any, a: Any, right: Any) -> Any:
    """Matrices seen from the bases `left` and `right`."""
    check_size(trace, name, *a.shape, max(a.shape[-2:]))
    return adjoint(left) @ (a @ right)


def inverses(trace: Trace, name: str, function: Callable[[Array], Array], of: Callable[[Any], Any], values: Any) -> Any:
    """The reciprocals of some combinations of numbers as factors: those that `function` gives; `of` gives the sums."""

    def again(trace: Trace, values: Any) -> Any:
        found = inverses(trace, name, function, of, values)
        return derived(trace, found, -found * found * of(values))

    return result(trace, name, function, values, again=again)


def gaps_of(values: Any) -> Any:
    """The distance of each two numbers."""
    return values[..., None, :] - values[..., :, None]


def inverse_gaps(values: Array) -> Array:
    """One over the distance of each two of ascending or descending numbers; NaN where it is rounding, 0 for one.

    >>> inverse_gaps(np.array([1.0, 3.0, 3.0])).tolist()
    [[0.0, 0.5, 0.5], [-0.5, 0.0, nan], [-0.5, nan, 0.0]]
    """
    gaps = gaps_of(values)
    size = values.shape[-1]
    smallest = size * EPSILON * np.abs(values).max(axis=-1, initial=0.0)[..., None, None]
    inverse = 1.0 / np.where(np.abs(gaps) <= smallest, np.nan, gaps)
    return np.asarray(np.where(np.eye(size, dtype=bool), 0.0, inverse))


@traces(np.linalg.eig, convention="in the norms and phases of LAPACK; NaN where eigenvalues coincide")
def _eig(trace: Trace, a: Any) -> Any:
    a = operand(trace, a)
    return _EIG(*eig_derived(trace, "np.linalg.eig", a, always=_always_complex()))


@traces(np.linalg.eigvals, convention="NaN where eigenvalues coincide")
def _eigvals(trace: Trace, a: Any) -> Any:
    a = operand(trace, a)
    return eig_derived(trace, "np.linalg.eigvals", a, only_values=np.linalg.eigvals, always=_always_complex())[0]


@cache
def _always_complex() -> bool:
    """Whether NumPy gives complex eigenvalues where all are real: since 2.5."""
    return np.linalg.eigvals(np.eye(1)).dtype.kind == "c"


def eig_derived(
    trace: Trace, name: str, a: Any, function: Any = np.linalg.eig, only_values: Any = None, always: bool = False
) -> tuple[Any, Any]:
    """Eigenvalues and right eigenvectors of general matrices, complex if they are `always`, else by a decision.

    `function` computes both. The values are those of the function `only_values`, if it is given.
    """
    turns = always or bool(decided(trace, result(trace, "complex eigenvalues", _has_complex, a)))
    key = (turns, only_values is not None)
    return _eig_parts(trace, name, lambda m: _eig_of(m, turns, function, only_values), key, a)[:2]


def _eig_parts(
    trace: Trace, name: str, function: Callable[[Array], tuple[Array, ...]], key: tuple[object, ...], a: Any
) -> tuple[Any, Any, Any, Any]:
    """What `_eig_of` gives, with derivatives."""

    def again(trace: Trace, a: Any) -> tuple[Any, ...]:
        return _eig_parts(trace, name, function, key, a)

    values, vectors, left, gaps = results(trace, name, function, a, key=key, again=again)
    check_size(trace, name, *a.shape, a.shape[-1])
    change = left @ (a @ vectors)
    moved = derived(trace, values, diagonal(change) * step(trace, "distinct eigenvalues", _nan_where_coinciding, gaps))
    turned = vectors @ (gaps * change)
    shift: Any = np.real(np.sum(np.conj(vectors) * turned, axis=-2))[..., None, :]
    if is_complex(vectors):
        shift = shift + 1j * np.imag(np.sum(_pivots(trace, vectors) * turned, axis=-2))[..., None, :]
    turned = derived(trace, vectors, turned - vectors * shift)
    back = derived(trace, left, -left @ (turned @ left))
    return moved, turned, back, derived(trace, gaps, -gaps * gaps * gaps_of(moved))


def _pivots(trace: Trace, vectors: Any) -> Any:
    """See `_largest`."""

    def again(trace: Trace, vectors: Any) -> Any:
        found = _pivots(trace, vectors)
        return derived(trace, found, -found * found * vectors)

    return result(trace, "largest components", _largest, vectors, again=again)


def _has_complex(a: Array) -> Array:
    # Not by their type: NumPy 2.5 gives complex numbers anyhow.
    return np.asarray(a.dtype.kind == "c" or bool(np.any(np.linalg.eigvals(a).imag)))


def _eig_of(a: Array, turns: bool, function: Any, only_values: Any) -> tuple[Array, ...]:
    """Eigenvalues, vectors, inverse of the vectors, inverse gaps."""
    values, vectors = function(a)
    if only_values is not None:
        # LAPACK may order them in another way, where it computes no vectors.
        wanted = only_values(a)
        order = _matched(values, wanted)
        values, vectors = wanted, np.take_along_axis(vectors, order[..., None, :], axis=-1)
    try:
        left = np.linalg.inv(vectors)
    except np.linalg.LinAlgError:
        left = np.full_like(vectors, np.nan)
    found = values, vectors, left, _trusted_gaps(a, values, left)
    return tuple(part.astype(complex) if turns else part.real for part in found)


def _matched(values: Array, wanted: Array) -> Array:
    """For each wanted number the place of the nearest one of the values that is still free."""
    distance = np.abs(wanted[..., :, None] - values[..., None, :])
    order = np.empty(wanted.shape, dtype=np.intp)
    for index in np.ndindex(wanted.shape):
        order[index] = np.argmin(distance[index])
        distance[(*index[:-1], slice(None), order[index])] = np.inf
    return order


def _trusted_gaps(a: Array, values: Array, left: Array) -> Array:
    """One over the distance of each two eigenvalues; NaN where it is no more than their error."""
    size = values.shape[-1]
    gaps = values[..., None, :] - values[..., :, None]
    norm = np.linalg.norm(a, axis=(-2, -1))[..., None]
    error = 10 * size * EPSILON * norm * np.linalg.norm(left, axis=-1)
    near = ~(np.abs(gaps) > error[..., None, :] + error[..., :, None])
    inverse = 1.0 / np.where(near, np.nan, gaps)
    return np.asarray(np.where(np.eye(size, dtype=bool), 0.0, inverse))


def _nan_where_coinciding(gaps: Array) -> Array:
    """One for each eigenvalue, NaN for those that have another one beside them."""
    return np.asarray(1.0 + np.sum(0.0 * gaps, axis=-1))


def _largest(vectors: Array) -> Array:
    """The weights that take from each eigenvector its largest component, over that component, which is real."""
    size = np.abs(vectors)
    # Of equal ones, that which LAPACK made real.
    real = np.where(vectors.imag == 0.0, size * (1.0 + 1e-8), size)
    chosen = np.argmax(real, axis=-2)[..., None, :]
    weights = np.zeros_like(vectors)
    np.put_along_axis(weights, chosen, 1.0 / np.take_along_axis(vectors, chosen, axis=-2), axis=-2)
    return weights
