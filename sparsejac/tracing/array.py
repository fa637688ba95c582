"""The arrays and scalars that f sees in place of x: duck types with the semantics of NumPy's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from kernels.address import Affine
from sparsejac.addressing import contiguous, covers, of_view
from sparsejac.location import called_by_user, user_site
from sparsejac.tracing.reals import NumberKind, Real, Scalar, Value, Vector
from sparsejac.tracing.registry import FUNCTIONS, UFUNC_METHODS, UFUNCS
from sparsejac.tracing.storage import Storage
from sparsejac.tracing.tape import CODES

if TYPE_CHECKING:
    from sparsejac.tracing.trace import Trace

_DTYPES: dict[NumberKind, np.dtype[Any]] = {
    "b": np.dtype(np.bool_),
    "f": np.dtype(np.float64),
    "c": np.dtype(np.complex128),
}

_FLOAT = np.dtype(np.float64)

# Ufuncs on real numbers that are just the primitive of the same name.
_SCALAR_CODES = {
    getattr(np, name): CODES[name]
    for name in [
        "add",
        "subtract",
        "multiply",
        "divide",
        "negative",
        "square",
        "sqrt",
        "reciprocal",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arctan2",
        "arcsinh",
        "arccosh",
        "arctanh",
        "hypot",
        "absolute",
        "maximum",
        "minimum",
    ]
}

_METHODS = frozenset(
    [
        "all",
        "any",
        "argmax",
        "argmin",
        "argsort",
        "clip",
        "compress",
        "conj",
        "conjugate",
        "cumprod",
        "cumsum",
        "diagonal",
        "dot",
        "max",
        "mean",
        "min",
        "nonzero",
        "prod",
        "ptp",
        "repeat",
        "round",
        "searchsorted",
        "squeeze",
        "std",
        "sum",
        "swapaxes",
        "take",
        "trace",
        "var",
    ]
)


_UFUNC_NAMES = frozenset(name for name in dir(np) if isinstance(getattr(np, name), np.ufunc))

_OBJECT_LIMIT = 100_000
"""Elements that are followed one by one where NumPy's compiled code makes an object array of a traced one."""


class _Traced(NDArrayOperatorsMixin):
    """What traced arrays and scalars share: operators through ufuncs, and loud refusals."""

    __slots__ = ("tracer",)
    tracer: Trace

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return apply_ufunc(self.tracer, ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        follow = FUNCTIONS.get(func)
        if all_plain((args, kwargs)):
            return adopted(func(*plain(args), **plain(kwargs)), self, *args)
        self.tracer.begin()
        if follow is None:
            name = f"{func.__module__}.{func.__name__}".replace("numpy.", "np.", 1)
            self.tracer.refuse(
                name,
                "it has no rule for values that depend on x",
                "write it with elementwise functions, indexing, sums and products, or move it out of f if it does not "
                "depend on x",
            )
        return follow(self.tracer, *args, **kwargs)

    def _refuse_conversion(self, what: str) -> NoReturn:
        self.tracer.refuse(
            what,
            "a plain number would lose the derivative with respect to x",
            "use the value as it is: NumPy and math functions and item assignment take it; create buffers inside f "
            "by np.zeros, np.empty or np.array; write A @ x for A.dot(x) with an ordinary array A",
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        self._refuse_conversion("the conversion of a value that depends on x to an ordinary array")

    def __float__(self) -> float:
        self._refuse_conversion("float() of a value that depends on x")

    def __complex__(self) -> complex:
        self._refuse_conversion("complex() of a value that depends on x")

    def __reduce__(self) -> NoReturn:
        self._refuse_conversion("pickling of a value that depends on x")


class TracedArray(_Traced):
    """An array that may depend on x.

    Parameters
    ----------
    trace : Trace
    storages : tuple of Storage
        One for real arrays; real and imaginary memory for complex ones.
    window : array
        Which places, as a NumPy view into `memory`. Plain arrays are views of their numbers; traced ones are views of
        memory that nobody reads, so that NumPy's own indexing tells where each element lies.
    memory : array
        The one-dimensional memory that `window` points into.
    dtype : numpy.dtype
    """

    __slots__ = ("_line", "dtype", "memory", "storages", "window")
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 1000.0

    def __init__(
        self,
        trace: Trace,
        storages: tuple[Storage, ...],
        view: npt.NDArray[Any],
        memory: npt.NDArray[Any],
        dtype: np.dtype[Any],
    ) -> None:
        self.tracer = trace
        self.storages = storages
        self.window = view
        self.memory = memory
        self.dtype = dtype
        self._line: tuple[int, int, int] | None = None

    @property
    def __class__(self) -> type:  # isinstance(x, np.ndarray) holds, as f's author expects
        return np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, as of an ndarray."""
        return self.window.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        self.window = self.window.reshape(shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.window.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.window.size

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def kind(self) -> NumberKind:
        """Truth values, real or complex numbers."""
        return "b" if self.dtype.kind == "b" else "c" if len(self.storages) == 2 else "f"

    @property
    def is_plain(self) -> bool:
        """Whether nothing traced was written into the array's memory."""
        return all(storage.is_plain for storage in self.storages)

    @property
    def address(self) -> Affine:
        """Where the elements lie in the storages."""
        return of_view(self.window, self.memory.__array_interface__["data"][0])

    @property
    def value(self) -> Value:
        """The content as it is now."""
        address = self.address
        parts = [storage.read(address) for storage in self.storages]
        return Value(parts[0], parts[1] if len(parts) == 2 else None, self.kind)

    @property
    def T(self) -> TracedArray:
        """The transposed view."""
        return self.at_view(self.window.T)

    @property
    def real(self) -> TracedArray:
        """A view of the real part."""
        return self._part(0)

    @real.setter
    def real(self, value: Any) -> None:
        self._part(0)[...] = value

    @property
    def imag(self) -> TracedArray:
        """A view of the imaginary part; zeros for real arrays."""
        if len(self.storages) == 1:
            return plain_array(self.tracer, np.zeros(self.shape))
        return self._part(1)

    @imag.setter
    def imag(self, value: Any) -> None:
        self._part(1)[...] = value

    @property
    def flat(self) -> Any:
        """All elements in C order (a view where NumPy can make one)."""
        return self.reshape(-1)

    @flat.setter
    def flat(self, value: Any) -> None:
        self.reshape(-1)[...] = value

    def _part(self, number: int) -> TracedArray:
        if len(self.storages) == 1:
            return self
        if self.is_plain:
            part = self.window.imag if number else self.window.real
            memory = self.memory.imag if number else self.memory.real
            return TracedArray(self.tracer, self.storages[number : number + 1], part, memory, part.dtype)
        return TracedArray(
            self.tracer, self.storages[number : number + 1], self.window, self.memory, np.dtype(np.float64)
        )

    def at_view(self, view: npt.NDArray[Any]) -> TracedArray:
        """Another view of the same memory."""
        return TracedArray(self.tracer, self.storages, view, self.memory, self.dtype)

    def __len__(self) -> int:
        return len(self.window)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if type(key) is int and self.window.ndim == 1:
            place = self._place(key)
            if self.dtype == _FLOAT and len(self.storages) == 1:
                row = self.storages[0].scalar_row(place)
                if row >= 0:
                    return TracedScalar(self.tracer, None, row)
            return self._scalar_at(place)
        if not _is_basic(key):
            return FUNCTIONS["take_advanced"](self.tracer, self, key)
        view = self.window[_plain_key(key)]
        if isinstance(view, np.ndarray) and (view.ndim or Ellipsis in (key if isinstance(key, tuple) else (key,))):
            return self.at_view(view)
        located = self.window[(*_plain_key(key), Ellipsis)] if isinstance(key, tuple) else self.window[key, ...]
        return self._scalar_at(of_view(located, self._origin).offset)

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) is int and self.window.ndim == 1 and self._set_scalar(key, value):
            return
        FUNCTIONS["assign"](self.tracer, self, key, value)

    def _set_scalar(self, key: int, value: Any) -> bool:
        """The short way of ``y[i] = s`` for real numbers; False if the long way must be gone."""
        if type(value) is TracedScalar and value.row >= 0 and self.dtype == _FLOAT and len(self.storages) == 1:
            if self.tracer.finished or value.tracer is not self.tracer:
                return False
            self.storages[0].write_row(self._place(key), value.row)
            return True
        return False

    @property
    def _origin(self) -> int:
        return int(self.memory.__array_interface__["data"][0])

    def _place(self, key: int) -> int:
        if self._line is None:
            address = self.address
            self._line = (address.offset, address.strides[0], address.box[0])
        offset, stride, length = self._line
        if key < 0:
            key += length
        if not 0 <= key < length:
            raise IndexError(f"index {key} is out of bounds for axis 0 with size {length}")
        return offset + stride * key

    def _scalar_at(self, place: int) -> Any:
        parts = [storage.read_scalar(place) for storage in self.storages]
        if all(type(part) is float for part in parts):
            return self.dtype.type(complex(*parts) if len(parts) == 2 else parts[0])  # type: ignore[arg-type]
        return TracedScalar(self.tracer, Value(parts[0], parts[1] if len(parts) == 2 else None, self.kind))

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return partial(getattr(np, name), self)
        if name.startswith("__"):
            raise AttributeError(name)
        if not hasattr(np.ndarray, name):
            raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")
        if self.is_plain:
            return getattr(self.window, name)
        self.tracer.refuse(f"ndarray.{name}", "it has no rule for values that depend on x", "use another method")

    def reshape(self, *shape: Any, order: str = "C") -> TracedArray:
        """As `ndarray.reshape`: a view if NumPy can make one."""
        if self.is_plain:
            return self._again(self.window.reshape(*shape, order=order))
        view = self.window.reshape(*shape, order=order)
        if self.size == 0 or np.may_share_memory(view, self.window):
            return self.at_view(view)
        return self._copied(order).reshape(*shape, order=order)

    def view(self, *dtype: Any, **kwargs: Any) -> TracedArray:
        """As `ndarray.view` without another dtype: the same memory."""
        if self.is_plain and (dtype or kwargs):
            return plain_array(self.tracer, self.window.view(*dtype, **kwargs).copy())
        wanted = [*dtype, *kwargs.values()]
        if any(w is not np.ndarray and np.dtype(w) != self.dtype for w in wanted):
            self.tracer.refuse(
                "ndarray.view with another dtype", "it looks at the bits of a value that depends on x", "use astype"
            )
        return self.at_view(self.window.view())

    def ravel(self, order: str = "C") -> TracedArray:
        """As `ndarray.ravel`."""
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> TracedArray:
        """As `ndarray.flatten`: always a copy."""
        return self.copy().reshape(-1, order=order)

    def transpose(self, *axes: Any) -> TracedArray:
        """As `ndarray.transpose`."""
        return self.at_view(self.window.transpose(*axes))

    def swapaxes(self, first: int, second: int) -> TracedArray:
        """As `ndarray.swapaxes`."""
        return self.at_view(self.window.swapaxes(first, second))

    def squeeze(self, axis: Any = None) -> TracedArray:
        """As `ndarray.squeeze`."""
        return self.at_view(self.window.squeeze(axis))

    def copy(self, order: str = "C") -> TracedArray:
        """A copy with memory of its own."""
        if self.is_plain:
            return plain_array(self.tracer, self.window.copy())
        return self._copied()

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """As `ndarray.astype` between truth values, floats and complex numbers of double precision."""
        if self.is_plain:
            return plain_array(self.tracer, self.window.astype(dtype, *args, **kwargs))
        return wrap(self.tracer, cast(self.tracer, self.value, np.dtype(dtype)), scalar=False)

    def fill(self, value: Any) -> None:
        """As `ndarray.fill`."""
        self[...] = value

    def item(self, *args: Any) -> Any:
        """As `ndarray.item`; the value stays traced."""
        flat = self.window.reshape(-1) if not args else None
        if flat is not None:
            if flat.size != 1:
                raise ValueError("can only convert an array of size 1 to a Python scalar")
            return self[(0,) * self.ndim]
        index = np.unravel_index(args[0], self.shape) if len(args) == 1 and not isinstance(args[0], tuple) else args
        return self[tuple(int(k) for k in index)]

    def tolist(self) -> Any:
        """As `ndarray.tolist`; the values stay traced."""
        return self[()] if self.ndim == 0 else [row.tolist() if self.ndim > 1 else row for row in self]

    def _again(self, view: npt.NDArray[Any]) -> TracedArray:
        """What a plain array's own method gave: a view of it, or a new array."""
        return adopted(view, self)

    def _copied(self, order: str = "C") -> TracedArray:
        value = self.value
        if order in ("F", "A") and order == "F":
            value = as_value(self.tracer, self.transpose())
            fortran: TracedArray = wrap(self.tracer, value, scalar=False)
            return fortran.transpose()
        copied: TracedArray = wrap(self.tracer, value, scalar=False)
        return copied

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        if self.is_plain:
            return np.array(self.window, dtype=dtype, copy=True if copy else None)
        if dtype is None and self.size <= _OBJECT_LIMIT and called_by_user():
            return self._objects()
        return super().__array__(dtype, copy)

    def _objects(self) -> npt.NDArray[Any]:
        """An array of traced scalars, for compiled code that goes on with Python's operators (``A.dot(x)``)."""
        self.tracer.begin()
        objects = np.empty(self.shape, dtype=object)
        for index in np.ndindex(self.shape):
            objects[index] = self[index]
        return objects

    def __bool__(self) -> bool:
        if self.is_plain:
            return bool(self.window)
        if self.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        self.tracer.begin()
        return bool(self.tracer.decide(truth_of(self.tracer, self.value)).reshape(-1)[0])

    def __index__(self) -> int:
        if self.is_plain:
            return self.window.__index__()
        raise TypeError("only integer scalar arrays can be converted to a scalar index")

    def __float__(self) -> float:
        return float(self.window) if self.is_plain else super().__float__()

    def __repr__(self) -> str:
        shown = self.window if self.is_plain or self.tracer.finished else peek(self.tracer, self.value)
        return repr(np.asarray(shown))

    def __str__(self) -> str:
        return str(self.window if self.is_plain or self.tracer.finished else peek(self.tracer, self.value))

    def __format__(self, spec: str) -> str:
        return format(self.window if self.is_plain else peek(self.tracer, self.value), spec)

    def __copy__(self) -> TracedArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> TracedArray:
        return self.copy()

    def _in_place(self, ufunc: Any, other: Any) -> TracedArray:
        self[...] = ufunc(self, other)
        return self

    def __iadd__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.add, other)

    def __isub__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.subtract, other)

    def __imul__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.multiply, other)

    def __itruediv__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.true_divide, other)

    def __ifloordiv__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.floor_divide, other)

    def __imod__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.remainder, other)

    def __ipow__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.power, other)

    def __iand__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.logical_and, other)

    def __ior__(self, other: Any) -> TracedArray:  # type: ignore[misc, override]
        return self._in_place(np.logical_or, other)

    def __matmul__(self, other: Any) -> Any:
        return FUNCTIONS[np.matmul](self.tracer, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return FUNCTIONS[np.matmul](self.tracer, other, self)


def _operators(name: str, ufunc: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator of traced scalars and its reflection: straight to the tape for real numbers, else by the ufunc."""
    code = CODES[name]

    def write(number: TracedScalar, other: Any, swapped: bool) -> TracedScalar | None:
        trace = number.tracer
        kind = type(other)
        if number.row < 0 or trace.finished:
            return None
        if kind is TracedScalar:
            row = other.row if other.tracer is trace else -1
        elif kind is float or kind is int or kind is np.float64:
            row = trace.tape.constant(float(other))
        else:
            return None
        if row < 0:
            return None
        frame = sys._getframe(2)
        site = (id(frame.f_code) << 20) + frame.f_lasti
        first, second = (row, number.row) if swapped else (number.row, row)
        return TracedScalar(trace, None, trace.tape.apply_two(code, first, second, site))

    def forward(self: TracedScalar, other: Any) -> Any:
        written = write(self, other, False)
        return ufunc(self, other) if written is None else written

    def reflected(self: TracedScalar, other: Any) -> Any:
        written = write(self, other, True)
        return ufunc(other, self) if written is None else written

    return forward, reflected


class TracedScalar(_Traced):
    """A number that may depend on x: immutable, as NumPy's scalars are."""

    __slots__ = ("_value", "row")
    shape = ()
    ndim = 0
    size = 1
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 1000.0

    def __init__(self, trace: Trace, value: Value | None, row: int = -1) -> None:
        self.tracer = trace
        self._value = value
        # Real numbers on the tape, the common case, are just the number of their row.
        self.row = row
        if value is not None and value.kind == "f" and type(value.real) is Scalar:
            self.row = value.real.row

    @property
    def value(self) -> Value:
        """The scalar as a value."""
        return Value(Scalar(self.row)) if self._value is None else self._value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        code = _SCALAR_CODES.get(ufunc)
        if code is not None and not kwargs and method == "__call__" and not self.tracer.finished:
            rows = [self._row_of(operand) for operand in inputs]
            if min(rows) >= 0:
                return TracedScalar(self.tracer, None, self.tracer.tape.apply_code(code, rows, user_site()))
        return apply_ufunc(self.tracer, ufunc, method, inputs, kwargs)

    def _row_of(self, operand: Any) -> int:
        """The row of a real number on the tape of this trace; -1 for everything else."""
        kind = type(operand)
        if kind is TracedScalar:
            return operand.row if operand.tracer is self.tracer else -1
        return self.tracer.tape.constant(float(operand)) if kind is float or kind is int else -1

    @property
    def __class__(self) -> type:  # isinstance(x[0], float) holds, as f's author expects
        return self.dtype.type

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64, complex128 or bool."""
        return _DTYPES[self.kind]

    @property
    def kind(self) -> NumberKind:
        """Truth value, real or complex number."""
        return "f" if self._value is None else self._value.kind

    @property
    def T(self) -> TracedScalar:
        """The scalar itself."""
        return self

    @property
    def real(self) -> Any:
        """The real part."""
        return wrap(self.tracer, Value(self.value.real))

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return wrap(self.tracer, Value(0.0 if self.value.imag is None else self.value.imag))

    def __getitem__(self, key: Any) -> Any:
        if key == ():
            return self
        if key is Ellipsis or key is None:
            array = wrap(self.tracer, Value(*map(self._as_vector, self.value.parts), kind=self.kind), scalar=False)
            return array if key is Ellipsis else array[None]
        raise IndexError("invalid index to scalar variable.")

    def _as_vector(self, part: Real) -> Real:
        return self.tracer.vector(part, ())

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS or name in _UFUNC_NAMES:  # NumPy calls x.sin() for the elements of object arrays
            return partial(getattr(np, name), self)
        raise AttributeError(f"'numpy.float64' object has no attribute {name!r}")

    def __bool__(self) -> bool:
        self.tracer.begin()
        return bool(self.tracer.decide(truth_of(self.tracer, self.value)))

    def __int__(self) -> int:
        self.tracer.begin()
        return int(self.tracer.decide(self.tracer.apply("trunc", self.value.real)))

    def __index__(self) -> int:
        raise TypeError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean "
            "arrays are valid indices"
        )

    def __round__(self, digits: int | None = None) -> Any:
        if digits is not None:
            return np.round(self, digits)
        self.tracer.begin()
        return int(self.tracer.decide(self.tracer.apply("rint", self.value.real)))

    def __format__(self, spec: str) -> str:
        return format(peek(self.tracer, self.value)[()], spec)

    def __repr__(self) -> str:
        return "<traced scalar after its trace>" if self.tracer.finished else repr(peek(self.tracer, self.value)[()])

    def __str__(self) -> str:
        return "<traced scalar after its trace>" if self.tracer.finished else str(peek(self.tracer, self.value)[()])

    def item(self) -> TracedScalar:
        """The scalar itself; it stays traced."""
        return self

    tolist = item
    copy = item

    def astype(self, dtype: Any) -> Any:
        """As `numpy.float64.astype`."""
        return wrap(self.tracer, cast(self.tracer, self.value, np.dtype(dtype)))

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

    def __ifloordiv__(self, other: Any) -> Any:  # type: ignore[misc, override]
        return self // other

    def __imod__(self, other: Any) -> Any:  # type: ignore[misc, override]
        return self % other

    def __ipow__(self, other: Any) -> Any:  # type: ignore[misc, override]
        return self**other

    def __copy__(self) -> TracedScalar:
        return self

    def __deepcopy__(self, memo: Any) -> TracedScalar:
        return self

    def is_integer(self) -> bool:
        """As `float.is_integer`; the answer is a decision."""
        return bool(self == np.floor(self))


def _is_basic(key: Any) -> bool:
    """Whether NumPy makes a view of a key."""
    for part in key if type(key) is tuple else (key,):
        if not (part is None or part is Ellipsis or type(part) in (int, slice) or isinstance(part, np.integer)):
            return False
    return True


def _plain_key(key: Any) -> Any:
    return key


def apply_ufunc(trace: Trace, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What NumPy's ufuncs do on traced operands."""
    out = kwargs.pop("out", None)
    if all_plain((inputs, kwargs)) and (out is None or all_plain(out)) and method != "at":
        arguments = {} if out is None else {"out": plain(out)}
        result = getattr(ufunc, method)(*plain(inputs), **plain(kwargs), **arguments)
        if out is not None:
            return out[0] if len(out) == 1 else out
        return plain_array(trace, result) if isinstance(result, np.ndarray) and result.dtype.kind in "biufc" else result
    trace.begin()
    if method != "__call__":
        follow_method = UFUNC_METHODS.get((ufunc, method))
        if follow_method is None:
            _refuse_ufunc(trace, f"np.{ufunc.__name__}.{method}")
        return (
            follow_method(trace, *inputs, **kwargs)
            if out is None
            else follow_method(trace, *inputs, out=out[0], **kwargs)
        )
    if ufunc is np.matmul:
        result = FUNCTIONS[np.matmul](trace, *inputs)
    else:
        follow = UFUNCS.get(ufunc)
        if follow is None:
            _refuse_ufunc(trace, f"np.{ufunc.__name__}")
        where = kwargs.pop("where", True)
        unknown = {k for k, v in kwargs.items() if not (k in ("casting", "order", "subok") or v is None)}
        if unknown - {"dtype"} or (kwargs.get("dtype") is not None and np.dtype(kwargs["dtype"]).kind not in "fc"):
            _refuse_ufunc(trace, f"np.{ufunc.__name__} with {', '.join(sorted(unknown))}=")
        result = wrap(trace, follow(trace, *(as_value(trace, operand) for operand in inputs)))
        if where is not True:
            if out is None:
                _refuse_ufunc(trace, f"np.{ufunc.__name__} with where= but without out=")
            result = FUNCTIONS[np.where](trace, where, result, out[0])
    if out is None:
        return result
    target = out[0]
    if not isinstance(target, TracedArray) and type(target) is not TracedArray:
        refuse_write(trace, f"np.{ufunc.__name__} with out=")
    target[...] = result
    return target


def refuse_write(trace: Trace, operation: str) -> NoReturn:
    """Refuse to write a traced value into memory that is not ours."""
    trace.refuse(
        operation,
        "a value that depends on x would be written into an ordinary array made outside f",
        "create the buffer inside f by np.zeros, np.empty or np.array(buffer)",
    )


def _refuse_ufunc(trace: Trace, name: str) -> NoReturn:
    trace.refuse(
        name,
        "it has no rule for values that depend on x",
        "write it with the arithmetic and elementary functions of NumPy",
    )


def is_traced(obj: Any) -> bool:
    """Whether an object is one of ours (and may hold traced values)."""
    return type(obj) is TracedArray or type(obj) is TracedScalar


def all_plain(obj: Any) -> bool:
    """Whether nothing inside nested lists, tuples and dicts depends on x."""
    if type(obj) is TracedArray:
        return obj.is_plain
    if type(obj) is TracedScalar:
        return False
    if isinstance(obj, list | tuple):
        return all(all_plain(item) for item in obj)
    return all(all_plain(item) for item in obj.values()) if isinstance(obj, dict) else True


def plain(obj: Any) -> Any:
    """The same with plain traced arrays replaced by the ordinary arrays that they are."""
    if type(obj) is TracedArray:
        return obj.window
    if type(obj) is tuple:
        return tuple(plain(item) for item in obj)
    if type(obj) is list:
        return [plain(item) for item in obj]
    return {key: plain(item) for key, item in obj.items()} if type(obj) is dict else obj


def adopted(result: Any, *sources: Any) -> Any:
    """What NumPy gave for plain arrays, as ours again: a view shares the memory of the array that it is a view of."""
    if not isinstance(result, np.ndarray) or result.dtype.kind not in "biufc":
        return result
    owners = [source for source in sources if type(source) is TracedArray]
    for owner in owners:
        if result.dtype == owner.dtype and np.may_share_memory(result, owner.window):
            return owner.at_view(result)
    return plain_array(owners[0].tracer, result)


def plain_array(trace: Trace, array: npt.NDArray[Any]) -> TracedArray:
    """A traced array over the memory of an ordinary one, which nobody else may use."""
    base = array if array.flags.c_contiguous else np.ascontiguousarray(array)
    memory = base.reshape(-1)
    if base.dtype.kind == "c":
        parts = (memory.real, memory.imag)
    else:
        parts = (memory,)
    storages = tuple(Storage(trace, memory.size, plain=part) for part in parts)
    return TracedArray(trace, storages, base, memory, base.dtype)


def wrap(trace: Trace, value: Value, *, scalar: bool = True) -> Any:
    """What the user gets for a value: an array, or a scalar where NumPy gives one (unless `scalar` is False)."""
    if value.is_vector:
        shape = value.shape
        if not shape and scalar:
            parts = [_tape_scalar(trace, part) for part in value.parts]
            return TracedScalar(trace, Value(parts[0], parts[1] if len(parts) == 2 else None, value.kind))
        size = value.size
        memory = np.empty(size, dtype=np.int8)
        vectors = [trace.vector(part, shape) for part in value.parts]
        storages = tuple(Storage(trace, size, node=flat_node(trace, vector)) for vector in vectors)
        return TracedArray(trace, storages, memory.reshape(shape), memory, _DTYPES[value.kind])
    if value.is_traced_scalar:
        return TracedScalar(trace, value)
    number = value.real if value.imag is None else complex(value.real, value.imag)  # type: ignore[arg-type]
    return _DTYPES[value.kind].type(number)


def flat_node(trace: Trace, vector: Vector) -> Any:
    """A node that holds just the numbers of a vector in C order."""
    if covers(vector.address, vector.node.size):
        return vector.node
    return trace.apply_copy(vector).node


def _tape_scalar(trace: Trace, part: Real) -> Real:
    if isinstance(part, Vector):
        place = int(part.address.table()[0])
        return Scalar(trace.tape.element(part.node.index, place))
    return part


def peek(trace: Trace, value: Value) -> npt.NDArray[Any]:
    """The numbers of a value, for showing them."""
    parts = [trace.peek(part) for part in value.parts]
    array = parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]
    return np.asarray(array).astype(_DTYPES[value.kind])


def as_value(trace: Trace, obj: Any) -> Value:
    """Anything that NumPy takes as an array, as a value."""
    if type(obj) is TracedScalar:
        return obj.value
    if type(obj) is TracedArray:
        if obj.tracer is not trace and not obj.is_plain:
            obj.tracer.begin()
            trace.refuse("a value of another trace", "two calls of sparsejac are mixed", "do not nest them in f")
        return array_value(trace, obj.window) if obj.is_plain else obj.value
    if type(obj) in (float, int):
        return Value(float(obj))
    if isinstance(obj, list | tuple):
        return list_value(trace, obj)
    return array_value(trace, np.asarray(obj))


def array_value(trace: Trace, array: npt.NDArray[Any]) -> Value:
    """An ordinary array or number as a value; arrays are copied."""
    if array.dtype.kind == "O" and array.ndim and not all_plain(items := array.tolist()):
        return list_value(trace, items)
    if array.dtype.kind not in "biufc":
        trace.refuse(
            f"a combination with {'text' if array.dtype.kind in 'US' else f'an array of dtype {array.dtype}'}",
            "only numbers can be combined with values that depend on x",
            "convert it to floats before",
        )
    kind: NumberKind = "c" if array.dtype.kind == "c" else "b" if array.dtype.kind == "b" else "f"
    parts = (array.real, array.imag) if kind == "c" else (array,)
    if array.ndim == 0:
        numbers = [float(part) for part in parts]
        return Value(numbers[0], numbers[1] if kind == "c" else None, kind)
    vectors = [Vector(trace.constant(np.asarray(part)), contiguous(array.shape)) for part in parts]
    return Value(vectors[0], vectors[1] if kind == "c" else None, kind)


def list_value(trace: Trace, items: Any) -> Value:
    """A nested list, possibly of traced values, as one array."""
    if all_plain(items):
        return array_value(trace, np.array(plain(items)))
    return FUNCTIONS["pack"](trace, items)  # type: ignore[no-any-return]


def truth_of(trace: Trace, value: Value) -> Real:
    """Whether a value is not zero, as a truth value."""
    return value.real if value.kind == "b" else UFUNCS[np.not_equal](trace, value, Value(0.0)).real  # type: ignore[no-any-return]


def cast(trace: Trace, value: Value, dtype: np.dtype[Any]) -> Value:
    """The value in another dtype, where the derivative survives."""
    if dtype == np.complex128:
        return Value(value.real, 0.0 if value.imag is None else value.imag, "c")
    if dtype == np.float64 and value.kind != "c":
        return Value(value.real, None, "f")
    if dtype == np.bool_:
        return UFUNCS[np.not_equal](trace, value, Value(0.0))  # type: ignore[no-any-return]
    if dtype.kind in "iu" and value.kind == "b":
        return Value(value.real, None, "f")
    trace.refuse(
        f"the conversion from {_DTYPES[value.kind]} to {dtype}",
        "it would cut the derivative or round to single precision",
        "keep float64 (or complex128); take np.floor or np.real where that is what you mean",
    )
