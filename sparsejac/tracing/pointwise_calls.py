"""Functions of libraries that work point by point: values as the library gives them, derivatives by rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass
from sparsejac.tracing.base import all_plain, is_traced
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.casting import DTYPES
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.reals import Value
from sparsejac.tracing.trace import Trace

Rule = Callable[..., Any] | None
"""Partial derivative by one argument, as a function of the value and the arguments; None where there is none."""

_NARROW = (DTYPES["s"], DTYPES["h"])
_PYTHON = (bool, int, float, complex)
_LIMIT = "write the function with others that have a rule, or keep that argument constant"


class _NoComplexRule(Exception):
    """A rule that knows no complex numbers."""


def pointwise(
    trace: Trace,
    name: str,
    function: Callable[..., Any],
    rules: Sequence[Rule] | Sequence[Sequence[Rule]],
    inputs: Sequence[Any],
    key: tuple[object, ...] = (),
    again: Sequence[Rule] | Sequence[Sequence[Rule]] | None = None,
) -> Any:
    """What a function of numbers or arrays gives, element by element.

    Parameters
    ----------
    trace : Trace
    name : str
    function : callable
        Gets the inputs with their dtypes, gives an array or a tuple of arrays of their common shape.
    rules : sequence
        The partial derivative by each input; for a function with several results one such sequence for each.
    inputs : sequence
        Traced and plain arguments.
    key : tuple
        Options that are part of `function`.
    again : sequence, optional
        In the place of `rules` where the derivatives are differentiated again. The rules of both are NumPy code.
    """
    several = bool(rules) and isinstance(rules[0], tuple | list)
    table: Sequence[Any] = rules if several else (rules,)
    moving: Sequence[Any] = table if again is None else again if several else (again,)
    values = [as_value(trace, argument) for argument in inputs]
    active = [k for k, value in enumerate(values) if any(trace.is_active(part) for part in value.parts)]
    _check_rules(trace, name, table, active)
    run = _Run(function, [[row[k] for k in active] for row in table], [_caster(argument) for argument in inputs])
    operands = [wrap(trace, value) for value in values]
    named = _Named(name, key, tuple(active), several, tuple(tuple(row[k] for k in active) for row in moving))
    rows = _rows(trace, named, run, operands)
    dtypes = zip(rows, run.dtypes, strict=True)
    results = tuple(row[0].astype(dtype) if dtype in _NARROW else row[0] for row, dtype in dtypes)
    return results if several else results[0]


@dataclass(frozen=True)
class _Named:
    """A function of some of whose arguments derivatives are wanted; `several`: with several results.

    `moving` holds for each result the rules of the partial derivatives that are differentiated again.
    """

    name: str
    key: tuple[object, ...]
    active: tuple[int, ...]
    several: bool
    moving: tuple[tuple[Any, ...], ...]


def _rows(trace: Trace, named: _Named, run: _Run, operands: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Each result with its derivative, and its partial derivatives by the active operands as numbers."""

    def again(trace: Trace, *operands: Any) -> tuple[Any, ...]:
        results = tuple(row[0] for row in _rows(trace, named, run, operands))
        whole = results if named.several else results[0]
        rows = zip(results, named.moving, strict=True)
        found = (part for result, row in rows for part in (result, *(rule(whole, *operands) for rule in row)))
        return tuple(np.broadcast_to(part, results[0].shape) for part in found)

    key = (*named.key, named.active, tuple(map(str, run.casters)))
    try:
        found = called(trace, named.name, run, *operands, key=key, again=again)
    except _NoComplexRule:
        what = f"{named.name} of complex values that depend on x"
        raise trace.refusal(what, "there is no rule for it", _LIMIT) from None
    found = tuple(wrap(trace, _value_of(part)) for part in found)  # numbers go to the tape of scalars
    width = len(named.active) + 1
    chosen = [operands[k] for k in named.active]
    rows = (found[k : k + width] for k in range(0, len(found), width))
    return [(_with_derivative(trace, row, chosen), *row[1:]) for row in rows]


def _check_rules(trace: Trace, name: str, table: Sequence[Any], active: list[int]) -> None:
    for k in active:
        if any(row[k] is None for row in table):
            raise trace.refusal(
                f"{name} whose argument {k + 1} depends on x",
                "the derivative by this argument has no closed form",
                _LIMIT,
            )


class _Run:
    """The function and the partial derivatives by some of its arguments, as one function of arrays."""

    def __init__(self, function: Callable[..., Any], partials: list[list[Any]], casters: list[Any]) -> None:
        self.function = function
        self.partials = partials
        self.casters = casters
        self.dtypes: list[np.dtype[Any]] = []

    def __call__(self, *arrays: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
        given = [_cast(array, caster) for array, caster in zip(arrays, self.casters, strict=True)]
        exact = [np.asarray(a, dtype=_double(np.asarray(a).dtype)) for a in given]
        with np.errstate(all="ignore"):
            found = self.function(*given)
            results = [np.asarray(r) for r in (found if isinstance(found, tuple) else (found,))]
            self.dtypes = [r.dtype for r in results]
            results = [r.astype(_double(r.dtype)) for r in results]
            whole = results if isinstance(found, tuple) else results[0]
            try:
                slopes = [[rule(whole, *exact) for rule in row] for row in self.partials]
            except TypeError as error:
                if any(np.iscomplexobj(array) for array in arrays):
                    raise _NoComplexRule from error
                raise
        shape = results[0].shape
        rows = zip(results, slopes, strict=True)
        return tuple(np.broadcast_to(part, shape) for result, row in rows for part in (result, *row))


def _double(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return DTYPES["c"] if dtype.kind == "c" else dtype if dtype.kind in "iu" else DTYPES["f"]


def _caster(argument: Any) -> Any:
    """The type in which an argument came: the library distinguishes integers."""
    if type(argument) in _PYTHON:
        return type(argument).__name__
    if is_traced(argument):
        return argument.dtype
    return np.asarray(argument).dtype if all_plain(argument) else DTYPES["f"]


def _cast(array: npt.NDArray[Any], caster: Any) -> Any:
    if isinstance(caster, str):
        return next(kind for kind in _PYTHON if kind.__name__ == caster)(array)
    return array.astype(caster) if caster.kind in "biuf" or array.dtype.kind == "c" else array


def _with_derivative(trace: Trace, row: Sequence[Any], operands: Sequence[Any]) -> Any:
    """A result, differentiated by its operands."""
    value, *slopes = row
    if not slopes:
        return value
    surrogate = sum((s * o for s, o in zip(slopes[1:], operands[1:], strict=True)), slopes[0] * operands[0])
    return derived(trace, value, surrogate)


def _value_of(array: Any) -> Value:
    value: Value = array.value
    return value
