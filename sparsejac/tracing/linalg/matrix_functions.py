"""Exponential, logarithm and square root of matrices, and the trigonometric functions of matrices.

Their derivative at A is a linear map from n*n to n*n numbers, which is computed as a whole.

References
----------
Higham: Functions of Matrices, SIAM 2008, chapters 3 and 10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg.operators import (
    Array,
    check_size,
    decided,
    inverse_of,
    inverse_or_nan,
    is_complex,
    operand,
    result,
    scipy_linalg,
)
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace


def _applied(operator: Any, change: Any) -> Any:
    """Linear maps of matrices, as matrices of n*n rows and columns, applied to matrices."""
    flat = change.reshape(*change.shape[:-2], -1, 1)
    return (operator @ flat).reshape(change.shape)


def _square(trace: Trace, name: str, a: Any, stacked: bool = False) -> Any:
    matrix = operand(trace, a)
    if matrix.ndim > 2 and not stacked:
        raise trace.refusal(f"{name} of stacked matrices", "there is no rule for it", "write a loop over the matrices")
    if matrix.ndim >= 2:
        check_size(trace, name, *matrix.shape, matrix.shape[-1], matrix.shape[-1])
    return matrix


@follows("scipy.linalg", "expm")
def _expm(trace: Trace, A: Any) -> Any:
    a = _square(trace, "scipy.linalg.expm", A, stacked=True)
    found = result(trace, "scipy.linalg.expm", lambda m: scipy_linalg.expm(m), a, again=_expm)
    return derived(trace, found, _applied(_slopes(trace, a), a))


def _slopes(trace: Trace, a: Any) -> Any:
    """The derivative of the exponential as a factor."""
    return result(trace, "derivative of expm", exponential_slopes, a, again=_moving_slopes)


def _moving_slopes(trace: Trace, a: Any) -> Any:
    """The same with its derivative."""
    size = a.shape[-1]
    check_size(trace, "the second derivative of scipy.linalg.expm", *a.shape[:-2], 16 * size**6)
    units = np.broadcast_to(np.eye(size**2).reshape(size**2, size, size), (*a.shape[:-2], size**2, size, size))
    beside = np.broadcast_to(a[..., None, :, :], units.shape)
    blocks = np.concatenate(
        [np.concatenate([beside, units], axis=-1), np.concatenate([0.0 * units, beside], axis=-1)], axis=-2
    )
    found = _expm(trace, blocks)[..., :size, size:].reshape(*a.shape[:-2], size**2, size**2)
    return derived(trace, _slopes(trace, a), np.swapaxes(found, -1, -2))


def exponential_slopes(a: Array) -> Array:
    """The derivative of the exponential, from the exponential of ``[[A, E], [0, A]]`` for each unit matrix E.

    >>> exponential_slopes(np.zeros((1, 1))).tolist()
    [[1.0]]
    """
    size = a.shape[-1]
    slopes = np.empty((*a.shape[:-2], size**2, size**2), dtype=a.dtype)
    blocks = np.zeros((*a.shape[:-2], 2 * size, 2 * size), dtype=a.dtype)
    blocks[..., :size, :size] = blocks[..., size:, size:] = a
    for k in range(size**2):
        blocks[..., :size, size:] = np.eye(1, size**2, k).reshape(size, size)
        slopes[..., k] = scipy_linalg.expm(blocks)[..., :size, size:].reshape(*a.shape[:-2], size**2)
    return slopes


def _check_options(trace: Trace, name: str, options: tuple[Any, ...], further: dict[str, Any]) -> None:
    if options or further:
        raise trace.refusal(f"{name} with disp= or blocksize=", "there is no rule for it", "leave the options out")


def _real_or_complex(
    trace: Trace, name: str, function: Callable[[Array], Array], slopes: Callable[[Trace, Any], Any], a: Any
) -> Any:
    """A function that may be complex for a real matrix: which, is a decision. `slopes`: of its result."""
    turns = bool(decided(trace, result(trace, f"{name} is complex", lambda m: np.iscomplexobj(function(m)), a)))

    def call(m: Array) -> Array:
        found = np.asarray(function(m))
        return found.astype(np.complex128) if turns else found.real

    def derive(trace: Trace, a: Any) -> Any:
        found = result(trace, name, call, a, key=(turns,), again=derive)
        return derived(trace, found, _like(found, _applied(slopes(trace, found), a)))

    return derive(trace, a)


@follows("scipy.linalg", "sqrtm", convention="NaN where two eigenvalues of the root add up to zero")
def _sqrtm(trace: Trace, A: Any, *options: Any, **further: Any) -> Any:
    _check_options(trace, "scipy.linalg.sqrtm", options, further)
    a = _square(trace, "scipy.linalg.sqrtm", A)
    return _real_or_complex(trace, "scipy.linalg.sqrtm", _square_root, _root_slopes, a)


def _square_root(a: Array) -> Any:
    return scipy_linalg.sqrtm(a)


def _like(found: Any, surrogate: Any) -> Any:
    """A surrogate that is real where the value is."""
    return surrogate if is_complex(found) or not is_complex(surrogate) else np.real(surrogate)


def _root_slopes(trace: Trace, root: Any) -> Any:
    """From ``root @ change + change @ root``."""
    unit = np.eye(root.shape[-1])
    return inverse_of(trace, "derivative of sqrtm", lambda m: np.kron(m, unit) + np.kron(unit, m.T), root)


@follows("scipy.linalg", "logm", convention="NaN where the exponential has no inverse function")
def _logm(trace: Trace, A: Any, *options: Any, **further: Any) -> Any:
    _check_options(trace, "scipy.linalg.logm", options, further)
    a = _square(trace, "scipy.linalg.logm", A)
    return _real_or_complex(trace, "scipy.linalg.logm", lambda m: scipy_linalg.logm(m), _logarithm_slopes, a)


def _logarithm_slopes(trace: Trace, found: Any) -> Any:
    """The inverse of the derivative of the exponential there."""
    name = "derivative of logm"

    def again(trace: Trace, found: Any) -> Any:
        slopes = _logarithm_slopes(trace, found)
        check_size(trace, name, *slopes.shape, slopes.shape[-1])
        return derived(trace, slopes, -slopes @ (_moving_slopes(trace, found) @ slopes))

    return result(trace, name, lambda m: inverse_or_nan(exponential_slopes(m)), found, again=again)


def _by_exponentials(name: str, combine: Callable[[Callable[..., Any], Any], Any]) -> None:
    """Follow a function of matrices that is made of exponentials."""

    @follows("scipy.linalg", name)
    def follow(trace: Trace, A: Any) -> Any:
        a = _square(trace, f"scipy.linalg.{name}", A)
        call = lambda m: getattr(scipy_linalg, name)(m)  # noqa: E731
        found = result(trace, f"scipy.linalg.{name}", call, a, again=follow)

        def exponential(matrix: Any) -> Any:
            return _expm(trace, matrix)

        return derived(trace, found, _like(found, combine(exponential, a)))


_by_exponentials("sinhm", lambda exp, a: (exp(a) - exp(-a)) / 2)
_by_exponentials("coshm", lambda exp, a: (exp(a) + exp(-a)) / 2)
_by_exponentials("sinm", lambda exp, a: (exp(1j * a) - exp(-1j * a)) / 2j)
_by_exponentials("cosm", lambda exp, a: (exp(1j * a) + exp(-1j * a)) / 2)
