"""What is refused: equations that cannot determine their unknowns, anywhere or at the solution that was found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array

from sparsejac.errors import ConvergenceError, SingularError
from sparsejac.implicit_functions.ways import OtherWayError, State, Way
from sparsejac.location import user_location
from sparsejac.patterns.pattern import Pattern
from sparsejac.systems.factors import System

Floats = npt.NDArray[np.float64]
Label = Callable[[int], str]

NAMED = 4
"""Equations and unknowns that a message names at most."""

WORST = 1.0 / np.finfo(np.float64).eps
"""Condition beyond which no digit of a derivative is right."""

NEARBY, GROWTH = 1e-8, 10.0
"""Relative size of a move of x in its last digits, and by how much the Jacobian must not grow over it."""

FAR = 1e-3
"""Relative size of Newton's step at what a user's solver gave beyond which that is no solution."""


def check_structure(call: str, way: Way, label: Label) -> None:
    """Refuse equations that leave unknowns open whatever their numbers are."""
    equations, unknowns = way.system.structure.unmatched
    if not len(equations):
        return
    empty = np.setdiff1d(np.arange(way.size), way.pattern.indices)
    why = (
        f"f does not depend on {_listed(empty, label)}"
        if len(empty)
        else f"there is no unknown left for {_counted(equations, 'equation')}, and no equation for "
        f"{_listed(unknowns, label)}"
    )
    raise SingularError(
        f"{call}: df/dx is singular for every x: {why}\n  {user_location()}\n  Cure: give as many independent "
        "equations as unknowns, with each unknown in one of them; pass what is known as a parameter."
    )


def check_regular(call: str, state: State, label: Label) -> None:
    """Refuse to differentiate at a solution where the Jacobian is singular."""
    if not len(state.x):
        return
    pattern, data = state.way.pattern, state.data
    if not np.isfinite(data).all():
        raise SingularError(
            f"{call}: df/dx is not finite at the solution\n  {user_location()}\n  Cure: write f so that its derivative "
            "exists there, or stop_gradient of the parameters where no derivative is wanted."
        )
    condition = state.way.system.factors(data).condition
    if condition < WORST:
        return
    scaled = _equilibrated(pattern, data)
    if System(pattern).factors(scaled).condition < WORST:
        return
    equation, unknown = _weakest(pattern, scaled)
    raise SingularError(
        f"{call}: df/dx is singular at the solution: its condition number is about {condition:.2g}, and the weakest "
        f"are equation {equation} and the unknown {label(unknown)} = {state.x[unknown]:.6g}. A solution of such "
        "equations is no differentiable function of the parameters (it may branch, or fold back)\n  "
        f"{user_location()}\n  Cure: take another point, or equations that fix the solution (arc length, a norm, a "
        "phase)."
    )


def check_simple(call: str, state: State, state_at: Callable[[Floats], State], label: Label) -> None:
    """Refuse to differentiate at a multiple root, near which the Jacobian is small but, alone, looks regular.

    There it becomes many times as large within the digits that x has.
    """
    size = len(state.x)
    if not size or not (state.is_multiple or _grows(state, state_at)):
        return
    unknown = int(np.argmax(np.abs(state.way.system.solve(state.data, np.ones((size, 1)))[:, 0])))
    raise SingularError(
        f"{call}: df/dx is singular at the solution: this is a multiple root, near {label(unknown)} = "
        f"{state.x[unknown]:.6g}, and no differentiable function of the parameters\n  {user_location()}\n  Cure: take "
        "another point, or equations that fix the solution (arc length, a norm, a phase)."
    )


def _grows(state: State, state_at: Callable[[Floats], State]) -> bool:
    """Whether a move of x in its last digits makes the Jacobian many times as large."""
    rng = np.random.default_rng(0)
    scale = np.maximum(np.abs(state.x), 1e-8 * np.abs(state.x).max())
    try:
        with np.errstate(all="ignore"):
            other = state_at(state.x + NEARBY * scale * rng.choice([-1.0, 1.0], len(scale)))
    except OtherWayError:
        return False
    if other.way.pattern != state.way.pattern or not np.isfinite(other.data).all():
        return False
    v = scale * rng.uniform(0.5, 1.0, len(scale))
    change = state.way.system.solve(state.data, (state.way.system.matrix(other.data - state.data) @ v)[:, None])[:, 0]
    return bool(np.abs(change).max() > GROWTH * np.abs(v).max())


def check_found(call: str, given: Floats, solved: State, label: Label) -> None:
    """Refuse what a solver of the user's gave if the root is somewhere else."""
    moved = np.abs(solved.x - given)
    if moved.max(initial=0.0) <= FAR * max(np.abs(given).max(initial=0.0), np.abs(solved.x).max(initial=0.0)):
        return
    unknown = int(np.argmax(moved))
    raise ConvergenceError(
        f"{call}: what solver= returned is no root of f: {label(unknown)} = {given[unknown]:.6g} there, and Newton's "
        f"method leads on to {solved.x[unknown]:.6g}\n  {user_location()}\n  Cure: return the solution itself (such as "
        "root(fun, x0).x), look at the solver's flag, lower its tolerance, or leave solver= out."
    )


def _equilibrated(pattern: Pattern, data: Floats) -> Floats:
    """Rows and columns divided by their largest entries: what is only badly scaled is regular then."""
    for places in (pattern.rows(), pattern.indices) * 2:
        largest = np.zeros(pattern.shape[0])
        np.maximum.at(largest, places, np.abs(data))
        data = data / np.where(largest > 0.0, largest, 1.0)[places]
    return data


def _weakest(pattern: Pattern, data: Floats) -> tuple[int, int]:
    """The equation and the unknown with the largest numbers in the null vectors, by one step of inverse iteration."""
    size = pattern.shape[0]
    shifted = csr_array(System(pattern).matrix(data) + 1e-10 * eye_array(size))
    factors = System(Pattern.from_scipy(shifted)).factors(shifted.data)
    start = np.random.default_rng(0).uniform(0.5, 1.0, (size, 1))
    left, right = (np.abs(np.nan_to_num(factors.solve(start, transposed)[:, 0])) for transposed in (True, False))
    return int(np.argmax(left)), int(np.argmax(right))


def _listed(places: npt.NDArray[np.integer], label: Label) -> str:
    shown = ", ".join(label(int(k)) for k in places[:NAMED])
    return shown if len(places) <= NAMED else f"{shown} and {len(places) - NAMED} more"


def _counted(places: npt.NDArray[np.integer], what: str) -> str:
    return f"{what} {_listed(places, str)}"
