"""The two doors by which NumPy hands calls over: ufuncs and functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.errors import UntraceableError
from sparsejac.tracing.array import TracedArray, adopted, plain_result
from sparsejac.tracing.base import TracedBase, all_plain, computes_itself, given, is_traced, items_of, plain
from sparsejac.tracing.casting import DTYPES, LOW, adapted, computed_in, promoted, rounded
from sparsejac.tracing.conversion import as_value, delivered, kept_whole, wrap
from sparsejac.tracing.memory_order import is_fortran, loosened
from sparsejac.tracing.reals import Value
from sparsejac.tracing.registry import DOUBLE, FUNCTIONS, HOOKS, REFUSALS, UFUNC_METHODS, UFUNCS, hook
from sparsejac.tracing.scalar import TracedScalar
from sparsejac.tracing.trace import Trace

_VIEWS_OF_PARTS = (np.real, np.imag)
_NO_RULE = (
    "it has no rule for values that depend on x",
    "write it with elementwise functions, indexing, sums and products, or move it out of f if it does not depend on x",
)
_OF_ANY_ORDER = frozenset([np.einsum, np.tensordot, np.cross, np.kron, np.vander, np.apply_along_axis, np.inner])
"""Functions whose result may lie in any order, also for operands in C order."""

_MOVING_INTEGERS = frozenset(
    [np.concatenate, np.stack, np.hstack, np.vstack, np.dstack, np.column_stack, np.append, np.insert, np.clip]
)
_PRODUCTS = frozenset(
    [np.dot, np.inner, np.vdot, np.outer, np.tensordot, np.einsum, np.kron, np.cross, np.convolve, np.correlate]
)
_OF_INTEGERS = _MOVING_INTEGERS | _PRODUCTS
"""Functions that give integers of integers; the elementwise ones, and what they are made of, do so anyway."""

_NO_ORDER = np.empty((2, 2)).T
_ORDINARY = frozenset([TracedArray, TracedScalar, np.ndarray, np.float64, float, int])
_DOUBLES = frozenset("fc")
_WITHOUT_EFFECT = frozenset(["casting", "order", "subok"])


@hook("function")
def follow_function(trace: Trace, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a NumPy function does on traced arguments."""
    if all_plain((args, kwargs)) and function not in _VIEWS_OF_PARTS:
        return plain_result(trace, function, args, kwargs)
    trace.begin()
    follow = FUNCTIONS.found(function)
    if follow is None:
        why, cure = REFUSALS.get(function, _NO_RULE)
        raise trace.refusal(f"{function.__module__}.{function.__name__}".replace("numpy.", "np.", 1), why, cure)
    result = follow(trace, *args, **kwargs)
    if function not in DOUBLE:
        result = _narrowed(trace, (args, kwargs), result)
    if function in _OF_INTEGERS and not (given(kwargs.get("out")) or given(kwargs.get("dtype"))):
        given_numbers = args[:1] if function is np.insert else (args, kwargs)
        computed = f"np.{function.__name__}" if function in _PRODUCTS else None
        numbers = [*_operands(given_numbers), *_lists_of_integers(given_numbers)]
        result = kept_whole(trace, result, *numbers, computed=computed)
    return _loosened(result, args, kwargs, function in _OF_ANY_ORDER)


def _loosened(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], always: bool) -> Any:
    """Results of a function, marked where NumPy's memory order is not known."""
    results = result if isinstance(result, list | tuple) else (result,)
    if any(type(part) is TracedArray and part.window.ndim > 1 for part in results):
        sources = _operands((args, kwargs))
        if always:
            sources.append(_NO_ORDER)
        for part in results:
            loosened(part, *sources)
    return result


@hook("ufunc")
def follow_ufunc(trace: Trace, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a ufunc, or one of its methods, does on traced operands."""
    if not any(map(_is_followed, inputs)) and all_plain((inputs, kwargs)):
        return _plain_ufunc(trace, ufunc, method, inputs, kwargs)
    trace.begin()
    out, order = kwargs.pop("out", None), kwargs.get("order")
    if method == "__call__" and (_is_mapped(ufunc) or UFUNC_METHODS.found((ufunc, method)) is None):
        result = _call(trace, ufunc, inputs, kwargs, out)
    else:
        follow = UFUNC_METHODS.found((ufunc, method))
        if follow is None:
            raise _unknown(trace, f"{_name(ufunc)}.{method}")
        result = _narrowed(trace, (inputs, kwargs), follow(trace, *inputs, **kwargs))
        result = delivered(trace, _loosened(result, inputs, {}, False), out, f"{_name(ufunc)}.{method}")
    return _loosened(result, (), {}, True) if out is None and is_fortran(order) else result


def _is_mapped(ufunc: Any) -> bool:
    """Whether a ufunc has a rule for what it does point by point, or is np.matmul."""
    return ufunc in UFUNCS or ufunc in FUNCTIONS


def _is_followed(operand: Any) -> bool:
    """Whether an operand alone depends on x, which tells most calls from those of plain arrays."""
    return issubclass(type(operand), TracedBase) and not operand.is_plain


def _plain_ufunc(trace: Trace, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = getattr(ufunc, method)(*plain(inputs), **plain(kwargs))
    out = kwargs.get("out")
    if out is not None:
        return out[0] if len(out) == 1 else out
    return adopted(trace, result)


def _call(trace: Trace, ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
    if not kwargs and out is None and ufunc in UFUNCS and _ORDINARY.issuperset(map(type, inputs)):
        return _mapped(trace, ufunc, inputs, None)  # what f does most, found before all else is looked at
    name = _name(ufunc)
    where, dtype = kwargs.pop("where", True), kwargs.pop("dtype", None)
    unknown = {key for key, value in kwargs.items() if key not in _WITHOUT_EFFECT and value is not None}
    if unknown:
        what = f"{name} with {', '.join(sorted(unknown))}="
        raise trace.refusal(what, _RULELESS, _BY_MOVEAXIS) if "axes" in unknown else _unknown(trace, what)
    if any(computes_itself(type(operand)) for operand in inputs):
        return NotImplemented  # NumPy asks the next one
    if any(type(operand).__module__.startswith("scipy.sparse") for operand in inputs):
        return HOOKS["sparse_ufunc"](trace, ufunc, *inputs)
    if ufunc is np.matmul:
        result = _narrowed(trace, (inputs, {}), FUNCTIONS[np.matmul](trace, *inputs, dtype=dtype))
    elif ufunc.types == ["O" * ufunc.nin + "->" + "O" * ufunc.nout] and not given(out):
        return HOOKS["frompyfunc"](trace, ufunc, *inputs)
    elif getattr(np, ufunc.__name__, None) is not ufunc and ufunc not in UFUNCS:
        result = HOOKS["library_ufunc"](trace, ufunc, inputs, dtype)
    else:
        if ufunc not in UFUNCS:
            raise trace.refusal(name, *REFUSALS[ufunc]) if ufunc in REFUSALS else _unknown(trace, name)
        result = _mapped(trace, ufunc, inputs, dtype)
    if where is not True:
        if not given(out):
            raise trace.refusal(f"{name} with where= but without out=", "the other elements are random", "give out=")
        result = np.where(where, result, out[0])
    return delivered(trace, result, out, name)


def _mapped(trace: Trace, ufunc: Any, inputs: tuple[Any, ...], dtype: Any) -> Any:
    """The rule of a ufunc applied to its operands."""
    follow = UFUNCS[ufunc]
    operands = [as_value(trace, operand) for operand in inputs]
    if dtype is not None:
        operands = [computed_in(trace, operand, dtype) for operand in operands]
    elif {operand.kind for operand in operands} <= _DOUBLES:
        return loosened(wrap(trace, follow(trace, *operands)), *inputs)
    else:
        operands = adapted(ufunc, inputs, operands)
    value = follow(trace, *operands)
    if dtype is not None and value.kind == "f":
        value = computed_in(trace, value, dtype)
    elif any(operand.kind in "bihs" for operand in operands):
        value = promoted(trace, ufunc, inputs, operands, value)
    return loosened(wrap(trace, value), *inputs)


def _narrowed(trace: Trace, arguments: tuple[Any, dict[str, Any]], result: Any) -> Any:
    """Results of a function in the precision of its operands, where that is below double."""
    operands = _operands(arguments)
    if not any(is_traced(operand) and operand.kind in LOW for operand in operands) or given(arguments[1].get("out")):
        return result
    dtype = np.result_type(*(operand.dtype if hasattr(operand, "dtype") else operand for operand in operands))
    if given(arguments[1].get("dtype")) or dtype not in (DTYPES["s"], DTYPES["h"]):
        return result

    def narrow(part: Any) -> Any:
        if isinstance(part, list | tuple):
            return type(part)(narrow(item) for item in part)
        if not is_traced(part) or part.is_plain or part.dtype not in (np.float64, dtype):
            return part
        if part.dtype == np.float64:
            return part.astype(dtype)
        if type(part) is TracedArray and any(getattr(o, "storages", None) == part.storages for o in operands):
            return part
        kind = part.kind
        exact = Value(rounded(trace, part.value.real, kind), None, kind)
        return wrap(trace, exact, scalar=type(part) is not TracedArray)

    return narrow(result)


_NUMBERS = (np.ndarray, float, complex)
_LISTS_OF_DOUBLES = ({float}, {int, float})


def _operands(obj: Any) -> list[Any]:
    """The numbers and arrays inside arguments."""
    if is_traced(obj) or isinstance(obj, _NUMBERS):
        return [obj]
    if type(obj) is list and {type(item) for item in obj} in _LISTS_OF_DOUBLES:
        return [np.asarray(obj)]  # unlike a number alone, which takes the precision of the others
    found = []
    for item in items_of(obj):
        found += _operands(item)
    return found


def _lists_of_integers(obj: Any) -> list[Any]:
    """The lists of Python's integers inside arguments as arrays: unlike a number alone, they are int64."""
    if type(obj) is list and {int}.issuperset(map(type, obj)):
        return [np.asarray(obj)]  # of no numbers, floats
    return [] if is_traced(obj) else [found for item in items_of(obj) for found in _lists_of_integers(item)]


def _name(ufunc: Any) -> str:
    """How the user writes a ufunc: those of other libraries carry no module."""
    name = str(ufunc.__name__)
    return f"np.{name}" if getattr(np, name, None) is ufunc else f"the ufunc {name}"


_RULELESS = "it has no rule for values that depend on x"
_BY_MOVEAXIS = "np.moveaxis of the operands before it, and of its result"


def _unknown(trace: Trace, name: str) -> UntraceableError:
    return trace.refusal(
        name,
        _RULELESS,
        "write it with the arithmetic and elementary functions of NumPy",
    )
