"""Newton's method with a line search, on sparse Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, eye_array

from kernels.lazy import Lazy
from sparsejac.errors import ConvergenceError
from sparsejac.implicit_functions.ways import State
from sparsejac.location import user_location

SPARSE = Lazy("scipy.sparse.linalg")

Floats = npt.NDArray[np.float64]

SHORTEST = 2.0**-40
"""The shortest part of a step that is tried."""

ENOUGH = 1e-4
"""The part of the predicted decrease of the residual that a step must bring."""

LOOSE = 1e-6
"""A step of this relative size that brings no decrease any more is one of rounding errors."""

SMALL = 1e-8
"""Unknowns smaller than this part of the largest are measured by it."""


Test = Callable[[State, Floats, State, float], bool]
"""From a state, Newton's step there, the state at a part of the step, and that part, whether to go there."""


@dataclass(frozen=True)
class Options:
    """How the equations are solved.

    Parameters
    ----------
    tolerance : float
        Relative size of the last step of Newton's method, number by number.
    max_iterations : int
    """

    tolerance: float = 1e-10
    max_iterations: int = 50


def newton(call: str, state_at: Callable[[Floats], State], guess: Floats, options: Options) -> State:
    """A root, from a guess.

    Parameters
    ----------
    call : str
        The public call, for messages.
    state_at : callable
        From x to residual and Jacobian.
    guess : array, shape (n,)
    options : Options

    Returns
    -------
    State
        At the root. The step that led to it was smaller than the tolerance; as the method converges quadratically, the
        error is about the square of that, or rounding.

    Raises
    ------
    ConvergenceError

    References
    ----------
    Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, section 11.2 (damping by the residual).
    Deuflhard, Newton Methods for Nonlinear Problems, 2004, section 3.3 (damping by the natural level function).
    """
    state = state_at(guess)
    if not np.isfinite(state.residual).all():
        raise _failure(call, state, 0, "f is not finite at the guess", "guess where f is finite")
    failures = []
    for is_enough in (_has_smaller_residual, _has_smaller_correction):
        try:
            return _damped(call, state_at, state, options, is_enough)
        except ConvergenceError as error:
            failures.append(error)
    raise failures[0]


def _damped(call: str, state_at: Callable[[Floats], State], state: State, options: Options, is_enough: Test) -> State:
    """A root, by steps of which each passes a test."""
    guess, previous, slow = state.x, np.inf, 0
    for iteration in range(options.max_iterations):
        if not state.residual.any():
            return state
        step, is_newtons = _step(state)
        relative = _relative(step, state.x, guess) if is_newtons else np.inf
        found = _searched(state, state_at, step, is_enough)
        if found is None:
            if relative <= LOOSE:
                return state
            raise _failure(
                call,
                state,
                iteration,
                "no step along Newton's direction makes the residual smaller: the guess is far, or there is no root",
                "start from another guess, perhaps the solution for parameters that are easier (continuation)",
            )
        decrease = _norm(found.residual) / _norm(state.residual)
        slow = slow + 1 if relative > 0.2 * previous and decrease < 0.5 else 0
        state = replace(found, is_multiple=slow >= 3)
        is_rounding = relative <= LOOSE and relative >= 0.5 * previous and decrease >= 0.5
        if relative <= options.tolerance or is_rounding:
            return state
        previous = relative
    is_slow = previous < 1e-2 or state.is_multiple
    why = "it converges slowly, as it does where df/dx is singular at the root" if is_slow else "it does not converge"
    cure = (
        "write equations whose Jacobian is regular at the root; raise max_iterations= where only the value is wanted"
        if is_slow
        else "start from another guess, scale the equations, or raise max_iterations="
    )
    raise _failure(call, state, options.max_iterations, why, cure)


def _step(state: State) -> tuple[Floats, bool]:
    """Newton's step, or (then False) where the matrix is singular, that of a regularised least-squares problem."""
    step = state.way.system.solve(state.data, -state.residual[:, None])[:, 0]
    if np.isfinite(step).all():
        return step, True
    matrix = csc_array(state.way.system.matrix(state.data))
    if not np.isfinite(matrix.data).all():
        return np.full_like(step, np.nan), False
    normal = csc_array(matrix.T @ matrix)
    shift = 1e-8 * max(float(abs(normal).sum(axis=0).max()), np.finfo(np.float64).tiny)
    with np.errstate(all="ignore"):
        factors = SPARSE.splu(csc_array(normal + shift * eye_array(len(step))))
        return np.asarray(factors.solve(-(matrix.T @ state.residual))), False


def _searched(state: State, state_at: Callable[[Floats], State], step: Floats, is_enough: Test) -> State | None:
    """The state at the end of the step, or of the longest part of it that passes the test."""
    part = 1.0
    while part >= SHORTEST and np.isfinite(step).all():
        found = state_at(state.x + part * step)
        if is_enough(state, step, found, part):
            return found
        part *= 0.5
    return None


def _has_smaller_residual(state: State, step: Floats, found: State, part: float) -> bool:
    """Whether the residual has become smaller by a part of what Newton's method predicts."""
    return _norm(found.residual) <= (1.0 - ENOUGH * part) * _norm(state.residual)


def _has_smaller_correction(state: State, step: Floats, found: State, part: float) -> bool:
    """The same of the residual in the norm of Newton's step, which does not change with the scales of equations."""
    if not np.isfinite(found.residual).all():
        return False
    correction = state.way.system.solve(state.data, -found.residual[:, None])[:, 0]
    return _norm(correction) <= (1.0 - 0.5 * part) * _norm(step)


def _norm(residual: Floats) -> float:
    """Infinite or NaN where the residual is, or is too large."""
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(residual))


def _relative(step: Floats, x: Floats, guess: Floats) -> float:
    """The largest number of a step, which is finite, relative to that of x."""
    floor = SMALL * max(np.abs(x).max(initial=0.0), np.abs(guess).max(initial=0.0))
    scale = np.maximum(np.abs(x), max(floor, np.finfo(np.float64).tiny))
    with np.errstate(over="ignore"):
        return float((np.abs(step) / scale).max(initial=0.0))


def _failure(call: str, state: State, iterations: int, why: str, cure: str) -> ConvergenceError:
    worst = int(np.argmax(np.where(np.isnan(state.residual), np.inf, np.abs(state.residual))))
    return ConvergenceError(
        f"{call}: no solution after {iterations} iterations of Newton's method: {why}. The residual is "
        f"{state.residual[worst]:.3g} in equation {worst} of {len(state.residual)}, and "
        f"{_norm(state.residual):.3g} in norm\n  {user_location()}\n  Cure: {cure}; or pass a "
        "solver of your own by solver=."
    )
