"""The numbers that f sees for single elements: immutable, with the operators of NumPy's scalars."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.location import formats_text, is_caught_by_callers, is_written_by_user, site_key
from sparsejac.tracing.base import SAME_AS_FUNCTIONS, TracedBase
from sparsejac.tracing.casting import DTYPES, peek, truth_of
from sparsejac.tracing.reals import NumberKind, Scalar, Value
from sparsejac.tracing.registry import HOOKS
from sparsejac.tracing.shown import ShownText, formatted_number
from sparsejac.tracing.tape import CODES
from sparsejac.tracing.trace import Trace

# Few f put values into lists that compiled code reads.
HANDED_OUT = Lazy("sparsejac.tracing.handed_out")

_ARITHMETIC = ["add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "reciprocal", "absolute"]
_EXPONENTIAL = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p"]
_CIRCULAR = ["sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "hypot"]
_HYPERBOLIC = ["sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"]
_EXTREMES = ["maximum", "minimum"]

_CODES_OF_UFUNCS = {
    getattr(np, name): CODES[name] for name in _ARITHMETIC + _EXPONENTIAL + _CIRCULAR + _HYPERBOLIC + _EXTREMES
}
"""Ufuncs that are, on real numbers, just the primitive of the same name."""

_COMPARISONS = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
_CODES_OF_COMPARISONS = {getattr(np, name): CODES[name] for name in _COMPARISONS}
"""As `_CODES_OF_UFUNCS`, with truth values as results."""

SHORT_POWERS = {2.0: "square", 1.0: "copy", 0.5: "sqrt", -1.0: "reciprocal", 3.0: "cube"}
"""NumPy's short cuts for exponents and one more, which are faster than powers and have no pole in their derivative."""

_UFUNC_NAMES = frozenset(name for name in dir(np) if isinstance(getattr(np, name), np.ufunc))

_READS_BITS = frozenset(
    ["as_integer_ratio", "byteswap", "data", "dump", "dumps", "getfield", "hex", "tobytes", "tofile", "view"]
)
"""Attributes of NumPy's scalars through which the derivative would be lost."""


def _operators(name: str, ufunc: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator of traced scalars and its reflection: straight to the tape for real numbers, else by the ufunc."""
    code, new, divides = CODES[name], object.__new__, name == "divide"
    mirror = f"__r{'truediv' if divides else name[:3]}__"

    # Loops over scalars call these more often than all else: few calls, and no attribute twice.

    def forward(self: TracedScalar, other: Any) -> Any:
        trace, first, kind = self.tracer, self.row, type(other)
        if divides and trace.awaits_zero_division:
            _check_divisor(trace, other)
        if first >= 0 and not trace.finished:
            tape = trace.tape
            if kind is TracedScalar:
                second = other.row if other.tracer is trace else -1
            elif kind is float or kind is int or kind is np.float64:
                second = tape.constant(float(other))
            else:
                second = -1
            if second >= 0:
                frame = sys._getframe(1)
                made = new(TracedScalar)
                made.tracer, made._value = trace, None
                made.row = tape.apply_two(code, first, second, (id(frame.f_code) << 20) + frame.f_lasti)
                return made
        if ufunc is np.multiply and _repeats(self, other):
            return other * int(self)
        return NotImplemented if _computes_itself(kind, mirror) else ufunc(self, other)

    def reflected(self: TracedScalar, other: Any) -> Any:
        trace, second, kind = self.tracer, self.row, type(other)
        if divides and trace.awaits_zero_division:
            _check_divisor(trace, self)
        is_number = kind is float or kind is int or kind is np.float64
        if is_number and second >= 0 and not trace.finished:
            tape, frame = trace.tape, sys._getframe(1)
            made = new(TracedScalar)
            made.tracer, made._value = trace, None
            site = (id(frame.f_code) << 20) + frame.f_lasti
            made.row = tape.apply_two(code, tape.constant(float(other)), second, site)
            return made
        return other * int(self) if ufunc is np.multiply and _repeats(self, other) else ufunc(other, self)

    return forward, reflected


_REMAINDERS = frozenset([np.floor_divide, np.remainder])


def _check_division(trace: Trace, ufunc: Any, first: Any, second: Any) -> None:
    """`_check_divisor` for what reaches the ufuncs: remainders, and powers with negative exponents."""
    if ufunc in _REMAINDERS:
        _check_divisor(trace, second)
    elif ufunc is np.power and not np.ndim(second) and is_caught_by_callers(ZeroDivisionError) and bool(second < 0):
        _check_divisor(trace, first)


def _check_divisor(trace: Trace, divisor: Any) -> None:
    """Refuse a division by zero where f may catch the error that only Python's own numbers raise."""
    if not np.ndim(divisor) and is_caught_by_callers(ZeroDivisionError) and bool(divisor == 0):
        raise trace.refusal(
            "a division by zero where f waits for ZeroDivisionError, or for any error",
            "Python's floats raise it, numbers of NumPy give inf, and which ones these are is not known",
            "ask for the divisor itself: if b == 0",
        )


def _computes_itself(kind: type, mirror: str) -> bool:
    """Whether objects of a class say what numbers on their left do, as NumPy lets them: those of the user."""
    if hasattr(kind, "__array_ufunc__"):
        return kind.__array_ufunc__ is None
    return hasattr(kind, mirror) and not hasattr(kind, "__array__") and is_written_by_user(getattr(kind, mirror))


def _repeats(number: TracedScalar, other: Any) -> bool:
    """Whether a product with a whole number is a repetition, as that of a list."""
    return isinstance(other, list | tuple | str | bytes) and number.kind == "i"


class TracedScalar(TracedBase):
    """A number that may depend on x: immutable, as NumPy's scalars are.

    Parameters
    ----------
    trace : Trace
    value : Value, optional
        What it is; may be left out for real numbers on the tape, the common case.
    row : int
        Its row on the tape; -1 for complex numbers and truth values.
    """

    __slots__ = ("_value", "row")
    shape = ()
    ndim = 0
    size = 1

    def __init__(self, trace: Trace, value: Value | None, row: int = -1) -> None:
        self.tracer = trace
        self._value = value
        self.row = row
        if value is not None and value.kind == "f" and type(value.real) is Scalar:
            self.row = value.real.row

    @property
    def value(self) -> Value:
        """The scalar as a value."""
        return Value(Scalar(self.row)) if self._value is None else self._value

    @property
    def is_plain(self) -> bool:
        """False: numbers that do not depend on x are NumPy's own."""
        return False

    @property
    def plain_form(self) -> npt.NDArray[Any]:
        """Refused: an ordinary number would lose the derivative."""
        raise self._lossy("a number that depends on x as an index, a size or an option")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self.tracer.awaits_zero_division and method == "__call__":
            _check_division(self.tracer, ufunc, inputs[0], inputs[-1])
        compares = ufunc in _CODES_OF_COMPARISONS
        if compares and self.tracer.gave_objects and ufunc is not np.not_equal:
            HANDED_OUT.check_not_hidden(self.tracer, inputs)
        code = _CODES_OF_COMPARISONS[ufunc] if compares else _CODES_OF_UFUNCS.get(ufunc)
        if code is not None and not kwargs and method == "__call__" and not self.tracer.finished:
            rows = [self._row_of(operand) for operand in inputs]
            if min(rows) >= 0:
                row = self.tracer.tape.apply_code(code, rows, site_key())
                truth = Value(Scalar(row), None, "b") if compares else None
                return TracedScalar(self.tracer, truth, -1 if compares else row)
        return HOOKS["ufunc"](self.tracer, ufunc, method, inputs, kwargs)

    def _row_of(self, operand: Any) -> int:
        """The row of a real number on the tape of this trace; -1 for everything else."""
        kind = type(operand)
        if kind is TracedScalar:
            return int(operand.row) if operand.tracer is self.tracer else -1
        return self.tracer.tape.constant(float(operand)) if kind is float or kind is int else -1

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance(x[0], float) holds, as f's author expects
        return self.dtype.type

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of NumPy's scalars."""
        return DTYPES[self.kind]

    @property
    def kind(self) -> NumberKind:
        """What sort of number it is."""
        return "f" if self._value is None else self._value.kind

    @property
    def T(self) -> TracedScalar:
        """The scalar itself."""
        return self

    @property
    def real(self) -> Any:
        """The real part."""
        return scalar_of(self.tracer, Value(self.value.real))

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return scalar_of(self.tracer, Value(0.0 if self.value.imag is None else self.value.imag))

    def __getitem__(self, key: Any) -> Any:
        if key == ():
            return self
        if all(part is Ellipsis or part is None for part in (key if type(key) is tuple else (key,))):
            return HOOKS["as_array"](self.tracer, self)[key]
        # Not an IndexError, as NumPy raises: with that a loop over the number would just have no turns.
        raise TypeError(f"'numpy.{self.dtype}' object is not subscriptable, and not iterable")

    def __getattr__(self, name: str) -> Any:
        if name in SAME_AS_FUNCTIONS or name in _UFUNC_NAMES:  # NumPy calls x.sin() for the elements of object arrays
            return partial(getattr(np, name), self)
        if name in _READS_BITS:
            raise self._lossy(f"{self.dtype}.{name} of a value that depends on x")
        raise AttributeError(f"'numpy.{self.dtype}' object has no attribute {name!r}")

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        wanted = np.dtype(object if dtype is None else dtype).kind
        form = HANDED_OUT.form_for_caller(self, wanted)
        if form == "decided":
            return HANDED_OUT.decided(self, dtype)  # type: ignore[no-any-return]
        if form == "objects":
            alone = np.empty((), dtype=object)
            alone[()] = self
            return alone
        raise self._lossy("the conversion of a value that depends on x to an ordinary array")

    def __float__(self) -> float:
        if formats_text() and not self.tracer.finished:
            return formatted_number(self.tracer, self._shown(), self.value)
        raise self._lossy("float() of a value that depends on x")

    def __hash__(self) -> int:
        if self.kind in "bi":
            return hash(int(self))  # which of a few cases it is: a decision
        raise self._lossy(
            "hash() of a value that depends on x (as a key of a dict, a member of a set, a cached argument)",
            "use an integer or a text as the key, a list in place of the set, and no cache",
        )

    def __bool__(self) -> bool:
        self.tracer.begin()
        return bool(self.tracer.decide(truth_of(self.tracer, self.value)))

    def __int__(self) -> int:
        self.tracer.begin()
        number = self.value.real
        # What is whole is asked as it is: the place of an operation inside x[k] hangs on what Python has specialised.
        return int(self.tracer.decide(number if self.kind in "bi" else self.tracer.apply("trunc", number)))

    def __index__(self) -> int:
        if self.kind == "i":
            return int(self)
        raise TypeError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean "
            "arrays are valid indices"
        )

    def __floor__(self) -> Any:
        return HOOKS["integer"](self, np.floor)

    def __ceil__(self) -> Any:
        return HOOKS["integer"](self, np.ceil)

    def __trunc__(self) -> Any:
        return HOOKS["integer"](self, np.trunc)

    def __round__(self, digits: int | None = None) -> Any:
        if digits is not None:
            return np.round(self, digits)
        self.tracer.begin()
        return int(self.tracer.decide(self.tracer.apply("rint", self.value.real)))

    def _shown(self) -> Any:
        return "<traced scalar after its trace>" if self.tracer.finished else peek(self.tracer, self.value)[()]

    def __format__(self, spec: str) -> str:
        return self._noted(format(self._shown(), spec))

    def __repr__(self) -> str:
        return str(self._shown()) if self.tracer.finished else self._noted(repr(self._shown()))

    def __str__(self) -> str:
        return self._noted(str(self._shown()))

    def _noted(self, text: str) -> str:
        """Text in which the derivative is lost: it must not be read as a number again."""
        return ShownText.of(self.tracer, text, self.value)

    def item(self) -> TracedScalar:
        """The scalar itself; it stays traced."""
        return self

    tolist = item
    copy = item

    def astype(self, dtype: Any) -> Any:
        """As `numpy.float64.astype`."""
        return HOOKS["in_dtype"](self.tracer, self.value, np.dtype(dtype), scalar=True)

    def reshape(self, *shape: Any) -> Any:
        """As `numpy.float64.reshape`."""
        return self[...].reshape(*shape)

    def ravel(self) -> Any:
        """As `numpy.float64.ravel`."""
        return self.reshape(1)

    flatten = ravel

    __add__, __radd__ = _operators("add", np.add)
    __sub__, __rsub__ = _operators("subtract", np.subtract)
    __mul__, __rmul__ = _operators("multiply", np.multiply)
    __truediv__, __rtruediv__ = _operators("divide", np.true_divide)
    # Augmented assignment rebinds the name, as with every immutable number.
    __iadd__ = __add__
    __isub__ = __sub__
    __imul__ = __mul__
    __itruediv__ = __truediv__

    def __pow__(self, other: Any) -> Any:
        if self.row < 0 or self.tracer.finished or not (type(other) is int or type(other) is float):
            return super().__pow__(other)
        if other < 0 and self.tracer.awaits_zero_division:
            _check_divisor(self.tracer, self)
        tape, short = self.tracer.tape, SHORT_POWERS.get(other)
        if short is not None:
            return TracedScalar(self.tracer, None, tape.apply_code(CODES[short], (self.row,), site_key()))
        rows = (self.row, tape.constant(float(other)))
        return TracedScalar(self.tracer, None, tape.apply_code(CODES["power"], rows, site_key()))

    def __ifloordiv__(self, other: Any) -> Any:
        return self // other

    def __imod__(self, other: Any) -> Any:
        return self % other

    def __ipow__(self, other: Any) -> Any:
        return self**other

    def __copy__(self) -> TracedScalar:
        return self

    def __deepcopy__(self, memo: Any) -> TracedScalar:
        return self

    def is_integer(self) -> bool:
        """As `float.is_integer`; the answer is a decision."""
        return bool(self == np.floor(self))


def scalar_of(trace: Trace, value: Value) -> Any:
    """What the user gets for a single number: traced, or NumPy's own if it does not depend on x."""
    if value.is_traced_scalar:
        return TracedScalar(trace, value)
    number = value.real if value.imag is None else complex(value.real, value.imag)  # type: ignore[arg-type]
    return DTYPES[value.kind].type(number)
