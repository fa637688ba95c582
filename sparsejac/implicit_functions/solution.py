"""Solutions as ordinary numbers, by Newton's method or by what the user gives in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sparsejac.errors import InputError
from sparsejac.implicit_functions.checks import check_found, check_regular, check_simple, check_structure
from sparsejac.implicit_functions.newton import Options, newton
from sparsejac.implicit_functions.ways import OtherWayError, State, Ways, unknowns_of
from sparsejac.location import user_location
from sparsejac.reports.elements import label_of
from sparsejac.signature import Bound, Signature
from sparsejac.structure import Structure, offsets_of, split, unflatten

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Equations:
    """What is to be solved, and how.

    Parameters
    ----------
    call : str
        The public call, for messages.
    f : callable
        Zero at the solution.
    name : str
        What readers know f by.
    solver : callable, optional
        In the place of Newton's method.
    options : Options
    """

    call: str
    f: Callable[..., Any]
    name: str
    solver: Callable[..., Any] | None
    options: Options

    def bound(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Any) -> Bound:
        """One call of f; all arguments but those that are x and p are constants."""
        return Signature(self.call, f, argnums).checked().bind(self.call, args, kwargs, frozen=True)


class Residual:
    """The equations as a solver of the user's sees them: a function of flat arrays.

    Parameters
    ----------
    ways : Ways
    p : array
    constants : sequence, optional
        See `Ways.state`.
    """

    def __init__(self, ways: Ways, p: Floats, constants: Sequence[Sequence[Floats]] | None) -> None:
        self._ways, self._p, self._constants = ways, p, constants
        self.failed: OtherWayError | None = None

    def __call__(self, u: Any) -> Floats:
        """The residual at u."""
        found: Floats = self._asked(self._ways.residual, u)
        return found

    def jacobian(self, u: Any) -> csr_array:
        """The Jacobian at u."""
        state: State = self._asked(self._ways.state, u)
        return csr_array(state.way.system.matrix(state.data))

    def _asked(self, what: Callable[..., Any], u: Any) -> Any:
        flat = np.array(u, dtype=np.float64).reshape(-1)
        if flat.size != self._ways.size:
            raise InputError(
                f"implicit: the solver asked for the residual at {flat.size} numbers, and there are {self._ways.size} "
                f"unknowns\n  {user_location()}\n  Cure: pass flat arrays of the length of x0."
            )
        try:
            return what(flat, self._p, self._constants)
        except OtherWayError as error:
            self.failed = error  # also if the solver catches it
            raise


def solve(
    equations: Equations,
    ways: Ways,
    unknowns: Structure,
    guess: Floats,
    p: Floats,
    constants: Sequence[Sequence[Floats]] | None = None,
    *,
    differentiated: bool = False,
) -> State:
    """The equations at their root.

    Parameters
    ----------
    equations : Equations
    ways : Ways
    unknowns : Leaf or Branch
        How the unknowns belong together, for messages.
    guess, p : array
    constants : sequence, optional
        See `Ways.state`.
    differentiated : bool
        Whether the Jacobian must be regular at the root.
    """
    call, label = equations.call, partial(label_of, "x", unknowns)
    check_structure(call, ways.state(guess, p, constants).way, label)
    state_at = partial(ways.state, p=p, constants=constants)
    if equations.solver is None:
        state = newton(call, state_at, guess, equations.options)
    else:
        given = _given(equations, Residual(ways, p, constants), guess)
        state = newton(call, state_at, given, equations.options)
        check_found(call, given, state, label)
    if differentiated:
        check_structure(call, state.way, label)
        check_regular(call, state, label)
        check_simple(call, state, state_at, label)
    return state


def _given(equations: Equations, residual: Residual, guess: Floats) -> Floats:
    """What the user's solver returns."""
    assert equations.solver is not None
    found = equations.solver(residual, guess.copy())
    if residual.failed is not None:
        raise residual.failed
    try:
        array = np.asarray(found)
        array = np.array(array, dtype=np.float64) if array.dtype.kind in "biuf" else np.empty(0)
    except ValueError:  # a ragged list
        array = np.empty(0)
    if array.size != guess.size or not np.isfinite(array).all():
        is_array = isinstance(found, np.ndarray)
        what = f"an array of shape {found.shape} and dtype {found.dtype}" if is_array else f"a {type(found).__name__}"
        raise InputError(
            f"{equations.call}: solver= returned {what}, not {guess.size} finite numbers\n  {user_location()}\n  Cure: "
            "return the root alone, as a flat array: root(fun, x0).x, newton_krylov(fun, x0)."
        )
    return array.reshape(-1)


def plain_solution(equations: Equations, guess: Any, params: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The solution where nothing is differentiated."""
    bound = equations.bound(equations.f, (guess, *params), kwargs, 0)
    ways = Ways(len(bound.x), (), bound)
    state = solve(equations, ways, unknowns_of(bound), bound.x, np.empty(0))
    return unflatten(bound.inputs, split(bound.inputs, state.x))


def leaves_like(unknowns: Structure, x: Floats) -> tuple[npt.NDArray[np.float64], ...]:
    """The arrays of a solution."""
    assert len(x) == offsets_of(unknowns)[-1]
    return tuple(np.asarray(part) for part in split(unknowns, x))
