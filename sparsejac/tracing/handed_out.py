"""What compiled code of NumPy gets that asks for ordinary arrays, as ufuncs do that meet traced numbers in lists.

An array of objects is computed with by the operators of Python. That is right where these do for plain numbers, which
may stand in the same list, what NumPy does; elsewhere the call is refused.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import sys
from functools import partial
from types import FrameType, ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sparsejac.location import call_chain, instruction_at, is_caught_by_callers, is_user_frame
from sparsejac.tracing.base import OF_OBJECTS
from sparsejac.tracing.casting import truth_of

Form = Literal["objects", "truths"]
"""Traced scalars, or truth values on which the way through f depends."""

_EXTREMES = frozenset([np.maximum, np.minimum])
_ALIKE = _EXTREMES.union(
    [np.add, np.subtract, np.multiply, np.matmul, np.negative, np.positive, np.absolute, np.conjugate, np.square],
    [np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal],
)
"""Ufuncs that do the same for all numbers, as objects or not; of NaN only the extremes do not."""
_LOGICAL = frozenset([np.logical_and, np.logical_or, np.logical_xor, np.logical_not])
"""Ufuncs that give one of the objects, where they give truth values of numbers."""
_UNLIKE = frozenset([np.power, np.float_power, np.fmax, np.fmin])
"""Ufuncs that give something else for objects: complex powers, and NaN."""

_SAFE_OPERATORS = frozenset(["+", "-", "*", "@", "&", "|", "^"])
_FOLDS = frozenset(["reduce", "accumulate", "reduceat", "outer"])
_ERRORS = (TypeError, AttributeError, ZeroDivisionError, OverflowError)
"""What Python's numbers and ufuncs of objects raise, where ufuncs of numbers do not."""

_METHODS = frozenset(name for name in dir(np.ndarray) if not name.startswith("_"))


def form_for_caller(value: Any, wanted: str) -> Form | None:
    """In which form the caller's caller gets a traced value, a dtype of a kind being wanted; None if in no form.

    Raises
    ------
    UntraceableError
        Where Python's operators might do something else with the numbers beside it.
    """
    frame = sys._getframe(2)
    if wanted not in "biuO" or not is_user_frame(frame) or instruction_at(frame).startswith("STORE"):
        return None
    value.tracer.begin()
    if value.kind == "b":
        return "truths"
    if wanted != "O":
        return None
    name, ufunc, may_raise = _called(frame)
    if ufunc in _LOGICAL:
        return "truths"
    if ufunc is None or ufunc in _UNLIKE or (may_raise and any(map(is_caught_by_callers, _ERRORS))):
        raise _list_refusal(value.tracer, name)
    if ufunc in _EXTREMES:
        _check_is_number(value)
    value.tracer.gave_objects = True
    return "objects"


def _check_is_number(value: Any) -> None:
    """Refuse NaN, which the larger of two objects may hide; a plan looks whether there is one at its x."""
    trace = value.tracer
    if trace.decide(trace.apply("isnan", value.value.real)).any():
        raise nan_among_objects(trace)


def nan_among_objects(trace: Any) -> Exception:
    """The refusal to compare NaN with a traced number, when NumPy may do so for the larger of two objects."""
    error: Exception = trace.refusal(
        "NaN in a list with values that depend on x",
        "NumPy compares objects as Python does, for which NaN is not larger than any number, nor smaller",
        OF_OBJECTS,
    )
    return error


def truths_of(value: Any, dtype: Any) -> npt.NDArray[Any]:
    """Which numbers are not zero, as an ordinary array, of which NumPy makes counts; the way through f depends on them.

    The operators of single truth values give no counts.
    """
    truths = np.array(value.tracer.decide(truth_of(value.tracer, value.value)) != 0.0)
    return truths if dtype is None or dtype == np.dtype(object) else truths.astype(dtype)


def check_gives_truths(value: Any) -> None:
    """Refuse to tell np.logical_and of an array of objects which of two to give: of numbers it gives truth values."""
    frame = sys._getframe(2)
    if value.kind != "b" and is_user_frame(frame) and _called(frame).ufunc in _LOGICAL:
        raise _list_refusal(value.tracer, _called(frame).name)


def _list_refusal(trace: Any, name: str) -> Exception:
    error: Exception = trace.refusal(
        f"{name} of a list in which some numbers depend on x",
        "NumPy computes with lists of objects as Python does, which may be another function",
        f"make an array of the list first, np.exp(np.array([x[0], 1.0])): {OF_OBJECTS}",
    )
    return error


class _Call(NamedTuple):
    """What a frame of the user's is at: how it is written, the ufunc that does it, if known, and whether it raises.

    Operators and methods are the ufuncs that they are like. Ufuncs are called with arrays for their results, too, which
    may take no objects.
    """

    name: str
    ufunc: np.ufunc | None
    may_raise: bool


def _called(frame: FrameType) -> _Call:
    instruction = instruction_at(frame)
    if instruction == "BINARY_OP":
        symbol = dis._nb_ops[frame.f_code.co_code[frame.f_lasti + 1]][1]  # type: ignore[attr-defined]
        is_power = symbol in ("**", "**=")
        return _Call(f"the operator {symbol}", np.power if is_power else np.add, symbol not in _SAFE_OPERATORS)
    if instruction in ("COMPARE_OP", "CONTAINS_OP", "BINARY_SUBSCR"):
        return _Call("a comparison", np.equal, False)
    if not instruction.startswith(("CALL", "PRECALL")):
        return _Call("a call", None, True)
    chain = call_chain(frame.f_code, frame.f_lasti)
    found = _found(frame, chain)
    owner = getattr(found, "__self__", found)
    if isinstance(owner, np.ufunc):
        has_out = any(type(names) is tuple and "out" in names for names in frame.f_code.co_consts)
        is_fold = getattr(found, "__name__", "") in _FOLDS
        # Two plain numbers that are compared, of which one is NaN, show themselves to nobody.
        ufunc = None if owner in _EXTREMES and not is_fold else owner
        return _Call(f"np.{owner.__name__}", ufunc, has_out or not is_fold or owner not in _ALIKE)
    if found is np.broadcast:  # computes nothing, and gives the numbers one by one
        return _Call("np.broadcast", np.positive, False)
    name = chain[-1][1] if chain else ""
    is_method = len(chain) > 1 and name in _METHODS
    return _Call(f"a call of {name}" if name else "a call", np.add if is_method else None, not is_method)


def _found(frame: FrameType, chain: tuple[tuple[str, str], ...]) -> Any:
    """What names that are loaded one from the other lead to; None where that is not known."""
    found: Any = None
    for k, (how, name) in enumerate(chain):
        if how.startswith("BINARY"):
            return None
        if k == 0:
            known = (frame.f_locals, frame.f_globals, vars(builtins))
            found = next((names[name] for names in known if name in names), None)
        elif isinstance(found, ModuleType | np.ufunc):
            found = getattr(found, name, None)
        else:
            found = inspect.getattr_static(found, name, None)
            found = found.__func__ if isinstance(found, staticmethod) else found
        while isinstance(found, partial):
            found = found.func
    return found
