"""NumPy's solvers and inverses, and determinants."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg.operators import (
    Array,
    check_size,
    inverse,
    is_complex,
    operand,
    result,
    results,
)
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

_SLOGDET = type(np.linalg.slogdet(np.eye(1)))


@traces(np.linalg.inv)
def inv(trace: Trace, a: Any) -> Any:
    """As `np.linalg.inv`."""
    a = operand(trace, a)
    found = result(trace, "np.linalg.inv", np.linalg.inv, a, again=inv)
    check_size(trace, "np.linalg.inv", *a.shape, a.shape[-1])
    return derived(trace, found, -found @ (a @ found))


@traces(np.linalg.solve)
def solve(trace: Trace, a: Any, b: Any) -> Any:
    """As `np.linalg.solve`."""
    a, b = operand(trace, a), operand(trace, b)
    found = result(trace, "np.linalg.solve", np.linalg.solve, a, b, again=solve)
    return solved(trace, "np.linalg.solve", found, a, b, inverse(trace, a))


def solved(trace: Trace, name: str, found: Any, a: Any, b: Any, operator: Any) -> Any:
    """The solution of ``a @ found == b`` with its derivative.

    Parameters
    ----------
    trace : Trace
    name : str
    found : array
        The solution, without a derivative.
    a, b : array
        Matrices, and right-hand sides: one vector if one-dimensional.
    operator : array
        The inverse of `a` without a derivative; its zeros sharpen the pattern if it is constant.
    """
    is_vector = b.ndim == 1
    columns = 1 if is_vector else b.shape[-1]
    check_size(trace, name, prod(np.broadcast_shapes(a.shape[:-2], b.shape[:-2])), a.shape[-1], a.shape[-1], columns)
    unknown, right = (found[..., None], b[:, None]) if is_vector else (found, b)
    residual = right if all_plain(a) else right - a @ unknown
    surrogate = operator @ residual
    return derived(trace, found, surrogate[..., 0] if is_vector else surrogate)


@traces(np.linalg.tensorinv)
def _tensorinv(trace: Trace, a: Any, ind: int = 2) -> Any:
    a, ind = operand(trace, a), int(plain(ind))
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = a.shape[ind:] + a.shape[:ind]
    return np.linalg.inv(a.reshape(prod(a.shape[ind:]), -1)).reshape(shape)


@traces(np.linalg.tensorsolve)
def _tensorsolve(trace: Trace, a: Any, b: Any, axes: Any = None) -> Any:
    a, b = operand(trace, a), operand(trace, b)
    if axes is not None:
        moved = [k % a.ndim for k in axes]
        a = np.transpose(a, [k for k in range(a.ndim) if k not in moved] + moved)
    shape = a.shape[b.ndim :]
    if a.size != prod(shape) ** 2:
        raise np.linalg.LinAlgError("Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(b.shape)")
    return np.linalg.solve(a.reshape(b.size, -1), b.ravel()).reshape(shape)


@traces(
    np.linalg.det,
    convention="the cofactors, also where the matrix is singular",
)
def det(trace: Trace, a: Any) -> Any:
    """As `np.linalg.det`."""
    a = operand(trace, a)
    found = result(trace, "np.linalg.det", np.linalg.det, a)
    check_size(trace, "np.linalg.det", *a.shape)
    return derived(trace, found, np.sum(_cofactors(trace, a) * a, axis=(-2, -1)))


def _cofactors(trace: Trace, a: Any) -> Any:
    """The derivative of the determinant, as a factor."""
    return result(trace, "cofactors", cofactors_of, a, again=_moving_cofactors)


def _moving_cofactors(trace: Trace, a: Any) -> Any:
    """The same with its derivative: the minors of two rows and two columns."""
    check_size(trace, "the second derivative of np.linalg.det", *a.shape, a.shape[-1] ** 2)
    minors = result(trace, "second minors", second_minors, a, again=_moving_minors)
    return derived(trace, _cofactors(trace, a), np.einsum("...ijkl,...kl->...ij", minors, a))


def _moving_minors(trace: Trace, a: Any) -> Any:
    """The same of these, by Jacobi's identity for nonsingular matrices: NaN where a matrix is singular."""
    first = _moving_cofactors(trace, a)
    minors = result(trace, "second minors", second_minors, a, again=_moving_minors)
    both = np.einsum("...ij,...kl->...ijkl", first, first) - np.einsum("...il,...kj->...ijkl", first, first)
    return derived(trace, minors, both / det(trace, a)[..., None, None, None, None])


def cofactors_of(a: Array) -> Array:
    """The derivative of the determinant, without dividing by it; NaN where a matrix has numbers that are not finite.

    >>> cofactors_of(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12).tolist()
    [[4.0, -2.0], [-2.0, 1.0]]
    """
    finite = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    left, values, right = np.linalg.svd(np.where(finite, a, 0.0))
    ones = np.ones((*values.shape[:-1], 1))
    before = np.cumprod(np.concatenate([ones, values[..., :-1]], axis=-1), axis=-1)[..., : values.shape[-1]]
    after = np.cumprod(np.concatenate([ones, values[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    others = before * after[..., : values.shape[-1]]
    sign = (np.linalg.det(left) * np.linalg.det(right))[..., None, None]
    return np.asarray(np.where(finite, sign * (np.conj(left) * others[..., None, :]) @ np.conj(right), np.nan))


def second_minors(a: Array) -> Array:
    """The second derivative of the determinant by the elements (i, j) and (k, l), without dividing by it.

    >>> second_minors(np.eye(2))[0, 0].tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    finite = np.asarray(np.isfinite(a).all(axis=(-2, -1), keepdims=True))
    left, values, right = np.linalg.svd(np.where(finite, a, 0.0))
    size = a.shape[-1]
    others = np.where(np.eye(size)[:, None, :] + np.eye(size), 1.0, values[..., None, None, :])
    pairs = np.where(np.eye(size), 0.0, np.prod(others, axis=-1))
    units = np.conj(left)[..., :, None, :] * np.conj(right.swapaxes(-1, -2))[..., None, :, :]
    sign = (np.linalg.det(left) * np.linalg.det(right))[..., None, None, None, None]
    both = np.einsum("...ija,...ab,...klb->...ijkl", units, pairs, units, optimize=True)
    found = sign * (both - np.swapaxes(both, -3, -1))
    return np.asarray(np.where(finite[..., None, None], found, np.nan))


@traces(
    np.linalg.slogdet,
    convention="NaN where the matrix is singular; the sign of a real determinant has derivative zero",
)
def _slogdet(trace: Trace, a: Any) -> Any:
    a = operand(trace, a)
    sign, logarithm = results(trace, "np.linalg.slogdet", lambda m: tuple(np.linalg.slogdet(m)), a, again=_again)
    check_size(trace, "np.linalg.slogdet", *a.shape)
    change = np.sum(np.swapaxes(inverse(trace, a), -1, -2) * a, axis=(-2, -1))
    if is_complex(a):
        sign = derived(trace, sign, 1j * sign * np.imag(change))
        change = np.real(change)
    return _SLOGDET(sign if sign.ndim else sign[()], derived(trace, logarithm, change))


def _again(trace: Trace, a: Any) -> tuple[Any, ...]:
    return tuple(_slogdet(trace, a))
