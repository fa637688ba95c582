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

Form = Literal["objects", "decided"]
"""Traced scalars, or truth values and integers on which the way through f depends."""

_SAFE_OPERATORS = frozenset(["+", "-", "*", "@", "&", "|", "^"])
_OF_TRACED = frozenset(["dot", "@"])
"""Calls and operators whose results are traced each, so that no ufunc meets numbers of Python among them."""
_ERRORS = (TypeError, AttributeError, ZeroDivisionError, OverflowError)
"""What Python's numbers raise, where those of NumPy do not."""

_METHODS = frozenset(name for name in dir(np.ndarray) if not name.startswith("_"))
_OBJECT_LIMIT = 100_000
"""Elements that are followed one by one where NumPy's compiled code makes an object array of a traced one."""


def form_for_caller(value: Any, wanted: str) -> Form | None:
    """In which form the caller's caller gets a traced value, a dtype of a kind being wanted; None if in no form.

    Raises
    ------
    UntraceableError
        Where Python's operators might do something else with the numbers beside it. If f has not been run with ufuncs
        that make arrays of lists (`packing`), it is run again with them.
    """
    frame = sys._getframe(2)
    if wanted not in "biuO" or not is_user_frame(frame) or instruction_at(frame).startswith("STORE"):
        return None
    trace = value.tracer
    trace.begin()
    if value.kind in "bi":
        return "decided"
    if wanted != "O":
        return None
    called = _called(frame)
    is_followed = called.is_followed and not (called.may_raise and any(map(is_caught_by_callers, _ERRORS)))
    if not trace.packs_lists and not (is_followed and called.gives_traced):
        trace.met_lists = True
        is_followed = False
    if not is_followed:
        raise trace.refusal(
            f"{called.name} of a list in which some numbers depend on x",
            "NumPy computes with lists of objects as Python does, which may be another function",
            f"make an array of the list first, np.exp(np.array([x[0], 1.0])): {OF_OBJECTS}",
        )
    if value.size > _OBJECT_LIMIT:
        return None
    trace.gave_objects = True
    return "objects"


def check_not_hidden(trace: Any, numbers: tuple[Any, ...]) -> None:
    """Refuse NaN where compiled code takes the larger of two objects: no comparison with it holds."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and not is_user_frame(frame):
        frame = frame.f_back
    if frame is None or instruction_at(frame) == "COMPARE_OP":
        return
    for number in numbers:
        if number != number:
            raise trace.refusal(
                "NaN in a list with values that depend on x",
                "NumPy compares objects as Python does, for which NaN is not larger than any number, nor smaller",
                OF_OBJECTS,
            )


def decided(value: Any, dtype: Any) -> npt.NDArray[Any]:
    """Truth values or integers as an ordinary array, of which NumPy makes counts and indices."""
    numbers = np.array(value.tracer.decide(value.value.real)).astype(value.dtype)
    return numbers if dtype is None or dtype == np.dtype(object) else numbers.astype(dtype)


class _Call(NamedTuple):
    """What a frame of the user's is at: how it is written, whether it is followed for objects, and whether it raises.

    Operators and methods do with objects what they do with numbers, but for powers, which may be complex.
    """

    name: str
    is_followed: bool = False
    may_raise: bool = False
    gives_traced: bool = False


def _called(frame: FrameType) -> _Call:
    instruction = instruction_at(frame)
    if instruction == "BINARY_OP":
        symbol = dis._nb_ops[frame.f_code.co_code[frame.f_lasti + 1]][1]  # type: ignore[attr-defined]
        is_power = symbol in ("**", "**=")
        return _Call(f"the operator {symbol}", not is_power, symbol not in _SAFE_OPERATORS, symbol in _OF_TRACED)
    if instruction in ("COMPARE_OP", "CONTAINS_OP", "BINARY_SUBSCR"):
        return _Call("a comparison", is_followed=True)
    if not instruction.startswith(("CALL", "PRECALL")):
        return _Call("a call")
    chain = call_chain(frame.f_code, frame.f_lasti)
    found = _found(frame, chain)
    owner = getattr(found, "__self__", found)
    if isinstance(owner, np.ufunc):
        name = f"np.{owner.__name__}" if hasattr(np, owner.__name__) else f"the ufunc {owner.__name__}"
        return _Call(name, *[owner.types == ["O" * owner.nin + "->" + "O" * owner.nout]] * 2)
    if found is np.broadcast:  # computes nothing, and gives the numbers one by one
        return _Call("np.broadcast", is_followed=True, gives_traced=True)
    name = chain[-1][1] if chain else ""
    is_method = len(chain) > 1 and name in _METHODS
    return _Call(f"a call of {name}" if name else "a call", is_method, gives_traced=name in _OF_TRACED)


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
