"""What stands in for the names float, complex, type and eval in the user's code while f runs.

They are types, and stay types: ``isinstance(v, float)``, ``dtype=float``, ``map(float, v)`` and ``float.fromhex`` mean
what they always mean. Only a call with a traced number gives a traced number. What they cannot pretend is to be the
very same object: where code of the user compares types by ``is``, they are not put in place (`converters_in`), and
float() of a traced value is refused. `type` is put in place there as well: what it gives are NumPy's own types.
"""

from __future__ import annotations

import builtins
import dis
import sys
from functools import lru_cache
from types import CodeType, FrameType, FunctionType, ModuleType, new_class
from typing import Any

import numpy as np

from sparsejac.location import may_catch
from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.base import is_traced, owner
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.reals import Value
from sparsejac.tracing.scalar import TracedScalar, scalar_of
from sparsejac.tracing.shown import check_text


class _StandIn(type):
    """The type of the stand-ins: whatever is asked of them is asked of the original."""

    original: Any
    convert: Any

    def __new__(mcs, name: str, bases: tuple[type, ...], names: dict[str, Any], **options: Any) -> Any:
        if not any(isinstance(base, _StandIn) for base in bases):
            return super().__new__(mcs, name, bases, names)
        own = tuple([base.original if isinstance(base, _StandIn) else base for base in bases])
        return new_class(name, own, options, lambda made: made.update(names))  # what f derives is no stand-in

    def __instancecheck__(cls, obj: Any) -> bool:
        return isinstance(obj, cls.original)

    def __subclasscheck__(cls, other: Any) -> bool:
        return issubclass(other, cls.original)

    def __eq__(cls, other: Any) -> bool:
        return other is cls or other is cls.original

    def __hash__(cls) -> int:
        return hash(cls.original)

    def __repr__(cls) -> str:
        return repr(cls.original)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if any(is_traced(arg) and not arg.is_plain for arg in (*args, *kwargs.values())):
            return cls.convert(*args, **kwargs)
        check_text(args)
        return cls.original(*args, **kwargs)


def _number(obj: Any) -> Any:
    """One real number."""
    obj.tracer.begin()
    if type(obj) is TracedArray:
        if obj.ndim:
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        obj = obj.item()
    return obj


def _as_float(obj: Any) -> Any:
    number = _number(obj)
    if number.kind == "c":
        raise number.tracer.refusal(
            "float() of a complex value that depends on x", "NumPy would drop the imaginary part", "use value.real"
        )
    return scalar_of(number.tracer, Value(number.value.real))


def _as_complex(real: Any = 0.0, imag: Any = 0.0) -> Any:
    real, imag = (_number(part) if type(part) in (TracedArray, TracedScalar) else part for part in (real, imag))
    trace = owner((real, imag))
    assert trace is not None
    a, b = as_value(trace, real), as_value(trace, imag)
    if "c" in (a.kind, b.kind):
        return np.add(real, np.multiply(imag, 1j))
    return wrap(trace, Value(a.real, b.real, "c"))


class _Float(float, metaclass=_StandIn):
    dtype = np.dtype(np.float64)
    original = float
    convert = staticmethod(_as_float)


class _Complex(complex, metaclass=_StandIn):
    dtype = np.dtype(np.complex128)
    original = complex
    convert = staticmethod(_as_complex)


class _TypeOf(_StandIn):
    """The type of what stands in for `type`."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and (is_traced(args[0]) or isinstance(args[0], np.ufunc)):
            return args[0].__class__  # the one that isinstance takes it for: type(x) is np.ndarray
        found = type.__call__(type, *args, **kwargs)
        return _as_the_caller_knows(found, sys._getframe(1)) if len(args) == 1 else found


def _as_the_caller_knows(found: type, caller: FrameType) -> type:
    """A type, or its stand-in where the user's code compares it with that: ``type(Class) is type``."""
    if found is type or issubclass(found, _StandIn):
        return _Type
    known = {float: _Float, complex: _Complex}.get(found)
    is_held = known is not None and any(value is known for value in caller.f_locals.values())
    return known if known is not None and is_held else found


class _Type(type, metaclass=_TypeOf):
    original = type

    def __class_getitem__(cls, item: Any) -> Any:
        return type[item]


for _stand_in in (_Float, _Complex, _Type):
    _stand_in.__name__ = _stand_in.__qualname__ = _stand_in.original.__name__
    _stand_in.__module__ = "builtins"


def _evaluate(source: Any, names: Any = None, local: Any = None, /, **given: Any) -> Any:
    """As eval, but not of text that a traced value was written as."""
    check_text(source)
    frame = sys._getframe(1)
    names = given.get("globals", names)
    own = names is None
    local = given.get("locals", local)
    return eval(source, frame.f_globals if own else names, frame.f_locals if own and local is None else local)


_evaluate.original = eval  # type: ignore[attr-defined]

CONVERTERS: dict[str, Any] = {"float": _Float, "complex": _Complex, "eval": _evaluate, "type": _Type}
"""Names of builtins -> what stands in for them."""


class _Builtins(ModuleType):
    """The module builtins; the other stand-ins would not be told from Python's own where code compares these."""

    type = _Type

    def __getattr__(self, name: str) -> Any:
        return getattr(builtins, name)


BUILTINS = _Builtins("builtins")

COMPARED = frozenset(["float", "complex", "eval"])
"""Those that must not be in place where code compares them by ``is``."""


@lru_cache(maxsize=4096)
def converters_in(code: CodeType) -> tuple[frozenset[str], bool]:
    """The names of `CONVERTERS` that code uses, functions inside it included, and whether it asks who they are."""
    used = {name for name in code.co_names if name in CONVERTERS}
    compares = not used.isdisjoint(COMPARED) and _compares_by_identity(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            further, inner = converters_in(constant)
            used |= further
            compares |= inner
    return frozenset(used), compares


def awaits_zero_division(function: FunctionType) -> bool:
    """Whether a function may catch the error that Python's floats raise and NumPy's do not."""
    return any(may_catch(code, function.__globals__, ZeroDivisionError) for code in _with_handlers(function.__code__))


@lru_cache(maxsize=4096)
def _with_handlers(code: CodeType) -> tuple[CodeType, ...]:
    """Of code and the functions inside it those that have handlers of errors."""
    inside = [part for part in code.co_consts if isinstance(part, CodeType)]
    own = (code,) if code.co_exceptiontable else ()
    return (*own, *(found for part in inside for found in _with_handlers(part)))


def _compares_by_identity(code: CodeType) -> bool:
    """Whether ``is`` compares one of the names with something, or may compare a variable that holds it."""
    instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG")]
    loads = [k for k, i in enumerate(instructions) if i.opname.startswith("LOAD_") and i.argval in COMPARED]
    kept = any(instructions[k + 1].opname.startswith(("STORE_", "RETURN_")) for k in loads)
    for k, instruction in enumerate(instructions):
        if instruction.opname == "IS_OP" and (kept or any(_inside(instructions[j], instruction) for j in loads)):
            before = instructions[k - 1]
            if not (before.opname == "LOAD_CONST" and before.argval in (None, True, False, ...)):
                return True
    return False


def _inside(part: dis.Instruction, whole: dis.Instruction) -> bool:
    """Whether an instruction stands inside the expression of another one; if that is not known, it may."""
    inner, outer = part.positions, whole.positions
    if inner is None or outer is None or None in (*inner, *outer):
        return True
    first, last = (inner.lineno, inner.col_offset), (inner.end_lineno, inner.end_col_offset)
    return (outer.lineno, outer.col_offset) <= first and last <= (outer.end_lineno, outer.end_col_offset)
