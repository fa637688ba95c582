"""Solutions inside a function that is being followed: calls whose rule is the implicit function theorem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from types import FunctionType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sparsejac.arguments import as_leaf, content
from sparsejac.errors import InputError, InputTypeError, UntraceableError
from sparsejac.implicit_functions.captured import with_captured
from sparsejac.implicit_functions.rule import Implicit, decisions_at, key_of
from sparsejac.implicit_functions.solution import Equations, leaves_like, solve
from sparsejac.implicit_functions.ways import State, Ways, unknowns_of
from sparsejac.kept import Kept
from sparsejac.patterns.zeros import digest, fact_of
from sparsejac.structure import Leaf, Structure, flatten, leaves_of, unflatten
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called
from sparsejac.tracing.conversion import as_array, as_value
from sparsejac.tracing.reachable import Place
from sparsejac.tracing.trace import Trace, untraced
from sparsejac.transforms.builder import Builder

Floats = npt.NDArray[np.float64]


def traced_solution(
    equations: Equations,
    trace: Trace,
    places: list[Place],
    guess: Any,
    params: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """The solution, as traced values.

    Parameters
    ----------
    equations : Equations
    trace : Trace
    places : list of Place
        Where f holds traced values beside its arguments.
    guess, params, kwargs
        The arguments of f.
    """
    call = equations.call
    if not all_plain(kwargs):
        raise trace.refusal(
            f"{call} with an argument by keyword that depends on x",
            "equations are differentiated by positional arguments only",
            "pass it by position",
        )
    f = with_captured(equations.f, places)
    args = [guess, *params, *([[place.value for place in places]] if places else [])]
    chosen = [k for k in range(1, len(args)) if not _is_plain(args[k])]
    numbers = [_peeked(trace, call, a) if k == 0 or k in chosen else plain(a) for k, a in enumerate(args)]
    bound = equations.bound(f, tuple(numbers), plain(kwargs), (0, *chosen))
    unknowns = unknowns_of(bound)
    size = sum(leaf.size for leaf in leaves_of(unknowns))
    start = _beside(trace, call, [guess])
    p = _beside(trace, call, [args[k] for k in chosen])
    is_active = any(trace.is_active(part) for part in as_value(trace, p).parts)
    ways = Ways(size, (), bound)
    try:
        state = _followed(equations, trace, ways, unknowns, bound.x[:size], bound.x[size:], is_active)
    except _RaisedByEquationsError as found:
        _raise_once(trace, equations, found.error, start, p)
    leaves = _nodes(equations, trace, ways.frozen(), unknowns, start, p, state, is_active)
    numbers_or_arrays = (
        leaf[()] if known.is_number else leaf for leaf, known in zip(leaves, leaves_of(unknowns), strict=True)
    )
    return unflatten(unknowns, numbers_or_arrays)


def _followed(
    equations: Equations,
    trace: Trace,
    ways: Ways,
    unknowns: Structure,
    guess: Floats,
    p: Floats,
    is_active: bool,
) -> State | None:
    """Solve once, to know the ways through f; None where that raises, as the call will."""
    try:
        with untraced():
            return solve(equations, ways, unknowns, guess, p, differentiated=is_active)
    except UntraceableError as error:
        trace.first_refusal = trace.first_refusal or error
        raise
    except (InputError, InputTypeError):
        raise
    except Exception as error:  # what a solver of the user's raises, too
        if ways.failed:
            raise _RaisedByEquationsError(error) from None
        return None


class _RaisedByEquationsError(Exception):
    """The equations raised an error of their own while they were followed."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _raise_once(trace: Trace, equations: Equations, error: Exception, *operands: Any) -> NoReturn:
    """Raise an error of the equations, here and now: an f that catches it is followed anew wherever x moves.

    Where else they raise is not known without following them.
    """
    left = [error]

    def once(*_: Floats) -> tuple[Floats, ...]:
        if left:
            raise left.pop()
        return ()

    called(trace, f"the solution of {equations.name}", once, *operands)
    raise AssertionError("the call raises")


def _nodes(
    equations: Equations,
    trace: Trace,
    ways: Ways,
    unknowns: Structure,
    guess: Any,
    p: Any,
    state: State | None,
    is_active: bool,
) -> tuple[Any, ...]:
    """The arrays of the solution, results of a call."""
    constants = [constant for way in ways.known for constant in way.constants]
    title = f"the solution of {equations.name}"
    rule = None
    if state is not None:
        before = ways.known[: ways.known.index(state.way)]
        rule = Implicit(title, state.way, sum(len(way.constants) for way in before))
    facts = digest({k: fact_of(constant) for k, constant in enumerate(constants)})
    key = (tuple(map(key_of, ways.known)), facts, _options_key(equations), is_active, str(unknowns))
    run = _Run(equations, ways, unknowns, is_active, _LAST.get(repr(key), _Last))
    if state is not None:
        run.last.known = (*(trace.peek(as_value(trace, a).real) for a in (guess, p)), *constants), state.x
    found = called(trace, title, run, guess, p, *constants, key=key, rule=rule)
    assert state is not None
    assert rule is not None
    if found and state.way.program.decisions:
        node = trace.vector(as_value(trace, found[0]).real).node
        trace.decisions.extend(decisions_at(rule, Builder(trace.graph), node))
    return found


@dataclass
class _Last:
    """The last solution of some equations, and for which guess, parameters and constants."""

    known: tuple[tuple[Floats, ...], Floats] | None = None


_LAST: Kept[_Last] = Kept(64)


class _Run:
    """Solves the equations for guesses, parameters and constants."""

    def __init__(self, equations: Equations, ways: Ways, unknowns: Structure, is_active: bool, last: _Last) -> None:
        self.equations, self.ways, self.unknowns, self.is_active = equations, ways, unknowns, is_active
        self.last = last

    def __call__(self, *operands: Floats) -> tuple[Floats, ...]:
        known = self.last.known
        if known is None or not all(map(np.array_equal, known[0], operands)):
            known = self.last.known = tuple(np.array(o) for o in operands), self._solved(*operands)
        return leaves_like(self.unknowns, known[1])

    def _solved(self, guess: Floats, p: Floats, *constants: Floats) -> Floats:
        rest = iter(constants)
        by_way = [list(islice(rest, len(way.constants))) for way in self.ways.known]
        state = solve(self.equations, self.ways, self.unknowns, guess, p, by_way, differentiated=self.is_active)
        return state.x


def _options_key(equations: Equations) -> tuple[object, ...]:
    """What tells the ways of solving apart; a solver of the user's by its code and what it captured."""
    solver = equations.solver
    if type(solver) is FunctionType:
        cells = tuple(content(cell.cell_contents) for cell in solver.__closure__ or ())
        known: Any = (id(solver.__code__), cells, content(solver.__defaults__))
    else:
        known = content(solver)
    return (equations.call, equations.options, known)


def _is_plain(argument: Any) -> bool:
    """Whether nothing in a structure depends on x."""
    _, found = flatten(argument, lambda path, value: (Leaf(()), all_plain(value)), "")
    return all(found)


def _peeked(trace: Trace, call: str, argument: Any) -> Any:
    """A structure with the numbers of what is traced in it."""

    def number(path: str, value: Any) -> tuple[Leaf, Any]:
        if all_plain(value):
            return Leaf(()), plain(value)
        _check_real(trace, call, path, value)
        found = trace.peek(as_value(trace, value).real)
        is_array = isinstance(value, np.ndarray | list | tuple)
        return Leaf(()), np.array(found) if is_array else float(found)

    structure, leaves = flatten(argument, number, "an argument")
    return unflatten(structure, leaves)


def _beside(trace: Trace, call: str, arguments: Sequence[Any]) -> Any:
    """All numbers of some arguments, side by side."""
    parts: list[Any] = [np.zeros(0)]

    def add(path: str, value: Any) -> tuple[Leaf, None]:
        if not all_plain(value):
            _check_real(trace, call, path, value)
            parts.append(as_array(trace, value).reshape(-1) * 1.0)
        else:
            parts.append(as_leaf(call, path, plain(value))[1])
        return Leaf(()), None

    for k, argument in enumerate(arguments):
        flatten(argument, add, f"argument {k}")
    parts = [part for part in parts if part.size] or parts[:1]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _check_real(trace: Trace, call: str, path: str, value: Any) -> None:
    if as_value(trace, value).kind == "c":
        raise trace.refusal(
            f"{call} with complex values that depend on x",
            "equations are solved and differentiated in real numbers",
            "pass real and imaginary parts, and return those of the equations",
        )
