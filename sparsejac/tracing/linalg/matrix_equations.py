"""SciPy's solvers of matrix equations: Sylvester, Lyapunov, Riccati.

The derivative of a solution solves the equation that is linearised there, with the same linear operator for each
change of the data. This operator is inverted as a whole, a matrix of n*m rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg.operators import (
    Array,
    adjoint,
    check_size,
    inverse_of,
    is_complex,
    operand,
    result,
    scipy_linalg,
)
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace


def _implicit(trace: Trace, found: Any, operator: Any, residual: Any) -> Any:
    """A solution whose change is `operator` applied to that of the residual, both with the unknowns in C order."""
    change = (operator @ residual.reshape(-1, 1)).reshape(found.shape)
    return derived(trace, found, change if is_complex(found) or not is_complex(change) else np.real(change))


def _both_sides(left: Any, right: Any) -> Any:
    """The matrix of ``X -> left @ X + X @ right``."""
    return np.kron(left, np.eye(len(right))) + np.kron(np.eye(len(left)), right.T)


def _around(left: Any, right: Any) -> Any:
    """The matrix of ``X -> X - left @ X @ right``."""
    return np.eye(len(left) * len(right)) - np.kron(left, right.T)


def _solved(
    trace: Trace, name: str, call: Callable[..., Array], operands: list[Any], again: Any, key: tuple[object, ...] = ()
) -> Any:
    """The solution without its derivative, after a look at its size."""
    found = result(trace, f"scipy.linalg.{name}", call, *operands, key=key, again=again)
    check_size(trace, f"scipy.linalg.{name}", found.size, found.size)
    return found


@follows("scipy.linalg", "solve_sylvester")
def _solve_sylvester(trace: Trace, a: Any, b: Any, q: Any) -> Any:
    a, b, q = (operand(trace, m) for m in (a, b, q))
    call = lambda *m: scipy_linalg.solve_sylvester(*m)  # noqa: E731
    found = _solved(trace, "solve_sylvester", call, [a, b, q], _solve_sylvester)
    operator = inverse_of(trace, "inverse of a @ X + X @ b", _both_sides, a, b)
    return _implicit(trace, found, operator, q - a @ found - found @ b)


@follows("scipy.linalg", "solve_continuous_lyapunov", "solve_lyapunov")
def _solve_continuous_lyapunov(trace: Trace, a: Any, q: Any) -> Any:
    a, q = operand(trace, a), operand(trace, q)
    call = lambda *m: scipy_linalg.solve_continuous_lyapunov(*m)  # noqa: E731
    found = _solved(trace, "solve_continuous_lyapunov", call, [a, q], _solve_continuous_lyapunov)
    operator = inverse_of(trace, "inverse of a @ X + X @ a.H", lambda m: _both_sides(m, adjoint(m)), a)
    return _implicit(trace, found, operator, q - a @ found - found @ adjoint(a))


@follows("scipy.linalg", "solve_discrete_lyapunov")
def _solve_discrete_lyapunov(trace: Trace, a: Any, q: Any, method: Any = None) -> Any:
    a, q = operand(trace, a), operand(trace, q)

    def call(*matrices: Array) -> Any:
        return scipy_linalg.solve_discrete_lyapunov(*matrices, method=method)

    again = partial(_solve_discrete_lyapunov, method=method)
    found = _solved(trace, "solve_discrete_lyapunov", call, [a, q], again, key=(method,))
    operator = inverse_of(trace, "inverse of X - a @ X @ a.H", lambda m: _around(m, adjoint(m)), a)
    return _implicit(trace, found, operator, a @ found @ adjoint(a) + q)


def _riccati(
    trace: Trace, name: str, follow: Callable[..., Any], matrices: tuple[Any, ...], e: Any, s: Any, balanced: Any
) -> tuple[Any, ...]:
    """The matrices a, b, q and r of an equation, and the solution without its derivative."""
    if e is not None or s is not None:
        raise trace.refusal(
            f"scipy.linalg.{name} with e= or s=", "there is no rule for it", "transform the system to one without them"
        )
    given = [operand(trace, m) for m in matrices]

    def call(*matrices: Array) -> Any:
        return getattr(scipy_linalg, name)(*matrices, balanced=balanced)

    again = partial(follow, balanced=balanced)
    return (*given, _solved(trace, name, call, given, again, key=(bool(balanced),)))


@follows("scipy.linalg", "solve_continuous_are")
def _solve_continuous_are(
    trace: Trace, a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: Any = True
) -> Any:
    a, b, q, r, found = _riccati(trace, "solve_continuous_are", _solve_continuous_are, (a, b, q, r), e, s, balanced)
    residual = adjoint(a) @ found + found @ a - found @ b @ np.linalg.solve(r, adjoint(b) @ found) + q

    def closed(a: Any, b: Any, r: Any, x: Any) -> Any:
        loop = a - b @ np.linalg.solve(r, adjoint(b) @ x)
        return -_both_sides(adjoint(loop), loop)

    operator = inverse_of(trace, "inverse of the closed loop in continuous time", closed, a, b, r, found)
    return _implicit(trace, found, operator, residual)


@follows("scipy.linalg", "solve_discrete_are")
def _solve_discrete_are(
    trace: Trace, a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: Any = True
) -> Any:
    a, b, q, r, found = _riccati(trace, "solve_discrete_are", _solve_discrete_are, (a, b, q, r), e, s, balanced)
    inner = adjoint(b) @ found @ a
    weight = r + adjoint(b) @ found @ b
    residual = adjoint(a) @ found @ a - adjoint(a) @ found @ b @ np.linalg.solve(weight, inner) + q

    def closed(a: Any, b: Any, r: Any, x: Any) -> Any:
        loop = a - b @ np.linalg.solve(r + adjoint(b) @ x @ b, adjoint(b) @ x @ a)
        return _around(adjoint(loop), loop)

    operator = inverse_of(trace, "inverse of the closed loop in discrete time", closed, a, b, r, found)
    return _implicit(trace, found, operator, residual)
