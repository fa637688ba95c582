"""The arrays that f sees in place of x: views of traced memory with the indexing of NumPy's own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.lazy import Lazy
from sparsejac.location import formats_text
from sparsejac.programs.addressing import contiguous, of_view
from sparsejac.tracing.base import SAME_AS_FUNCTIONS, leaves_to, plain
from sparsejac.tracing.casting import kind_of, peek, truth_of
from sparsejac.tracing.in_place import InPlaceOperators
from sparsejac.tracing.keys import first_place, has_dots, is_basic, with_dots
from sparsejac.tracing.reals import NumberKind, Value
from sparsejac.tracing.registry import FUNCTIONS, HOOKS, METHODS, REFUSALS
from sparsejac.tracing.scalar import TracedScalar, scalar_of
from sparsejac.tracing.shown import ShownText, formatted_number
from sparsejac.tracing.storage import Storage
from sparsejac.tracing.trace import Trace, current_trace

_FLOAT = np.dtype(np.float64)

_NO_RULE = ("it has no rule for values that depend on x", "use the NumPy function that gives the same numbers")
# Few f put values into lists that compiled code reads.
HANDED_OUT = Lazy("sparsejac.tracing.handed_out")

_CHANGING = frozenset(["_set_dtype", "resize"])
"""Methods that change the array itself: called on the one that is lent, they would be without effect."""

_NEW_SCALAR = object.__new__


class TracedArray(InPlaceOperators):
    """An array that may depend on x.

    What is here is memory, indexing and Python's own protocols; ndarray's named methods are in the table `METHODS`.

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
    address : Affine, optional
        Where the elements of `window` lie, if that is known already: to ask NumPy takes longer than all the rest.
    """

    __slots__ = ("_address", "_dtype", "_is_flat", "_line", "memory", "storages", "window")
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        trace: Trace,
        storages: tuple[Storage, ...],
        window: npt.NDArray[Any],
        memory: npt.NDArray[Any],
        dtype: np.dtype[Any],
        address: Affine | None = None,
    ) -> None:
        self.tracer = trace
        self.storages = storages
        self.window = window
        self.memory = memory
        self._dtype = dtype
        self._address = address
        self._line: tuple[int, int, int, Storage | None] | None = None
        self._is_flat = False

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance(x, np.ndarray) holds, as f's author expects
        return np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, as of an ndarray."""
        return self.window.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        if self.is_loose and self.ndim > 1:
            raise self.tracer.refusal(
                "setting the shape of an array whose memory order is not known", "NumPy may refuse it", "use reshape"
            )
        window = self.window.reshape(shape)
        if window.size and not np.may_share_memory(window, self.window):
            raise AttributeError("Incompatible shape for in-place modification. Use `.reshape()` to make a copy.")
        self.window = window
        self._address = self._line = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements, as of an ndarray."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        if np.dtype(dtype) != self._dtype:
            raise self.tracer.refusal(
                "setting the dtype of an array of f", "it takes the bits for other numbers", "use y.astype(dtype)"
            )

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes between elements, of arrays that do not depend on x."""
        return self._attribute("strides")  # type: ignore[no-any-return]

    @strides.setter
    def strides(self, strides: Any) -> None:
        raise self.tracer.refusal("setting the strides of an array of f", *REFUSALS["numpy.ndarray", "strides"])

    @property
    def flags(self) -> Any:
        """Order and writability, as of an ndarray."""
        if self.is_loose and self.ndim > 1:
            raise self.tracer.refusal("ndarray.flags", *REFUSALS["numpy.ndarray", "strides"])
        return self.window.flags

    def retyped(self, dtype: npt.DTypeLike) -> None:
        """Note the dtype of an array just made, whose numbers are of that type already."""
        self._dtype = np.dtype(dtype)

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
        """What sort of numbers the array holds."""
        return "f" if self.dtype is _FLOAT else kind_of(self.dtype, len(self.storages) == 2)

    @property
    def is_plain(self) -> bool:
        """Whether nothing traced was written into the array's memory."""
        storages = self.storages
        return storages[0].is_plain and (len(storages) == 1 or storages[1].is_plain)

    @property
    def plain_form(self) -> npt.NDArray[Any]:
        """The ordinary array that a plain one is; refused for all others, whose window holds no numbers."""
        if not self.is_plain:
            raise self._lossy("an array that depends on x as an index, a size or an option")
        return self.window

    @property
    def address(self) -> Affine:
        """Where the elements lie in the storages."""
        if self._address is None:
            self._address = self._address_of(self.window)
        return self._address

    def _address_of(self, view: npt.NDArray[Any]) -> Affine:
        return of_view(view, self.memory.__array_interface__["data"][0], self.memory.strides[0])

    @property
    def value(self) -> Value:
        """The content as it is now."""
        address, storages = self.address, self.storages
        imag = storages[1].read(address) if len(storages) == 2 else None
        return Value(storages[0].read(address), imag, self.kind)

    @property
    def T(self) -> TracedArray:
        """The transposed view."""
        return self.at_view(self.window.T, self.start)

    @property
    def real(self) -> TracedArray:
        """A view of the real part."""
        return self._part(0)

    @real.setter
    def real(self, value: Any) -> None:
        self._part(0)[...] = value

    @property
    def imag(self) -> TracedArray:
        """A view of the imaginary part; read-only zeros for real arrays."""
        if len(self.storages) == 2:
            return self._part(1)
        zeros = np.zeros(self.shape)
        zeros.flags.writeable = False
        return plain_array(self.tracer, zeros)

    @imag.setter
    def imag(self, value: Any) -> None:
        if len(self.storages) == 1:
            raise TypeError("array does not have imaginary part to set")
        self._part(1)[...] = value

    def _part(self, number: int) -> TracedArray:
        if len(self.storages) == 1:
            return self
        storage = self.storages[number : number + 1]
        window, memory = (a.imag if number else a.real for a in (self.window, self.memory))
        return TracedArray(self.tracer, storage, window, memory, window.dtype if storage[0].is_plain else _FLOAT)

    @property
    def flat(self) -> Any:
        """All elements in C order, to be read and written."""
        view = self.window.reshape(-1)
        if not self.size or np.may_share_memory(view, self.window):
            line = self.at_view(view)
            line._is_flat = True
            return line
        return HOOKS["flat"](self)

    @flat.setter
    def flat(self, value: Any) -> None:
        self[...] = np.resize(HOOKS["as_array"](self.tracer, value), self.shape)

    @property
    def is_loose(self) -> bool:
        """Whether NumPy would have laid the numbers in an order that is not known here."""
        return self.storages[0].is_loose

    @property
    def start(self) -> int | None:
        """Where the first element lies, if that is known already."""
        return None if self._address is None else self._address.offset

    def at_view(self, window: npt.NDArray[Any], start: int | None = None) -> TracedArray:
        """Another view of the same memory; its first element is at `start`, if that is known."""
        address = None
        if start is not None and window.size:
            unit = self.memory.strides[0]
            address = Affine(window.shape, start, tuple([stride // unit for stride in window.strides]))
        return TracedArray(self.tracer, self.storages, window, self.memory, self.dtype, address)

    def at_key(self, key: Any, view: npt.NDArray[Any]) -> TracedArray:
        """The view that a basic key makes."""
        known = self._address is not None and view.size
        return self.at_view(view, first_place(key, self.address) if known else None)

    def __len__(self) -> int:
        return len(self.window)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        kind = type(key)
        line = self._line
        if line is not None and kind is int:  # what loops over scalars do most, with as few calls as possible
            offset, stride, length, storage = line
            if 0 <= key < length and self.dtype is _FLOAT and storage is not None:
                row = storage.scalar_row(offset + stride * key)
                if row >= 0:
                    made = _NEW_SCALAR(TracedScalar)
                    made.tracer, made._value, made.row = self.tracer, None, row
                    return made
        if (kind is int or kind is np.int64) and self.window.ndim == 1:
            return self._element(int(key))
        if not is_basic(key):
            return HOOKS["take"](self.tracer, self, key)
        view = self.window[key]
        if isinstance(view, np.ndarray) and (view.ndim or has_dots(key)):
            found = self.at_key(key, view)
            return found.copy() if self._is_flat else found  # y.flat[1:3] is a copy
        if self.is_plain:
            return view
        place = first_place(key, self.address)
        return self.scalar_at(self._address_of(self.window[with_dots(key)]).offset if place is None else place)

    def __setitem__(self, key: Any, value: Any) -> None:
        kind = type(key)
        line = self._line
        if line is not None and kind is int and type(value) is TracedScalar and self.window.flags.writeable:
            offset, stride, length, storage = line
            trace = self.tracer
            other = trace.finished or value.tracer is not trace or self.dtype is not _FLOAT
            if 0 <= key < length and storage is not None and value.row >= 0 and not other:
                storage.write_row(offset + stride * key, value.row)
                return
        if (kind is int or kind is np.int64) and self.window.ndim == 1 and self._set_element(int(key), value):
            return
        HOOKS["assign"](self.tracer, self, key, value)

    def _element(self, key: int) -> Any:
        """The short way of ``y[i]``."""
        place = self._place(key)
        if self.dtype == _FLOAT and len(self.storages) == 1:
            row = self.storages[0].scalar_row(place)
            if row >= 0:
                return TracedScalar(self.tracer, None, row)
        return self.window[key] if self.is_plain else self.scalar_at(place)

    def _set_element(self, key: int, value: Any) -> bool:
        """The short way of ``y[i] = s`` for real numbers; False if the long way must be gone."""
        if type(value) is TracedScalar and value.row >= 0 and self.dtype == _FLOAT and len(self.storages) == 1:
            if self.tracer.finished or value.tracer is not self.tracer or not self.window.flags.writeable:
                return False
            self.storages[0].write_row(self._place(key), value.row)
            return True
        return False

    def _place(self, key: int) -> int:
        if self._line is None:
            address = self.address
            real = self.storages[0] if len(self.storages) == 1 else None
            self._line = (address.offset, address.strides[0], address.box[0], real)
        offset, stride, length, _ = self._line
        if key < 0:
            key += length
        if not 0 <= key < length:
            raise IndexError(f"index {key} is out of bounds for axis 0 with size {length}")
        return offset + stride * key

    def scalar_at(self, place: int) -> Any:
        """The number at a place of the memory."""
        return scalar_of(self.tracer, Value.of([storage.read_scalar(place) for storage in self.storages], self.kind))

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The array API for arrays of f: NumPy."""
        return np

    def __getattr__(self, name: str) -> Any:
        follow = METHODS.get(name)
        if follow is not None:
            return partial(follow, self)
        if name in SAME_AS_FUNCTIONS:
            return partial(getattr(np, name), self)
        if name.startswith("__"):
            raise AttributeError(name)
        if not hasattr(np.ndarray, name):
            raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")
        return self._attribute(name)

    def _attribute(self, name: str) -> Any:
        """A rarer attribute of ndarray's, whose rule is loaded late if there is one."""
        follow = METHODS.found(name)
        if follow is not None:
            return partial(follow, self)
        if self.is_plain and name not in _CHANGING:
            return getattr(self._lent(), name)  # y.data, y.base and y.ctypes may be kept
        raise self.tracer.refusal(f"ndarray.{name}", *REFUSALS.get(("numpy.ndarray", name), _NO_RULE))

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        if self.is_plain:
            return np.array(self._lent() if not copy else self.window, dtype=dtype, copy=True if copy else None)
        wanted = np.dtype(object if dtype is None else dtype).kind
        form = HANDED_OUT.form_for_caller(self, wanted)
        if form == "decided":
            return HANDED_OUT.decided(self, dtype)  # type: ignore[no-any-return]
        if form == "objects":
            return self._objects()
        raise self._lossy("the conversion of a value that depends on x to an ordinary array")

    def _lent(self) -> npt.NDArray[Any]:
        """The memory of a plain array for someone else, who may keep it."""
        lent = self.window
        for storage in self.storages:
            lent = storage.lend(lent)
        return lent

    def _objects(self) -> npt.NDArray[Any]:
        """An array of traced scalars, for compiled code that goes on with Python's operators (``A.dot(x)``)."""
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

    def __int__(self) -> int:
        if self.is_plain:
            return int(self.window)
        if self.size != 1:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        return int(self[(0,) * self.ndim])

    def __float__(self) -> float:
        if self.is_plain:
            return float(self.window)
        if formats_text() and not self.tracer.finished:
            if self.ndim:
                raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
            return formatted_number(self.tracer, self._shown(), self.value)
        raise self._lossy("float() of a value that depends on x")

    def _shown(self) -> Any:
        if self.is_plain:
            return self.window
        return "<traced array after its trace>" if self.tracer.finished else peek(self.tracer, self.value)

    def __repr__(self) -> str:
        return self._noted(repr(self._shown()))

    def __str__(self) -> str:
        return self._noted(str(self._shown()))

    def __format__(self, spec: str) -> str:
        return self._noted(format(self._shown(), spec))

    def _noted(self, text: str) -> str:
        return text if self.is_plain else ShownText.of(self.tracer, text, self.value)

    def __copy__(self) -> TracedArray:
        copied: TracedArray = self.copy()
        return copied

    def __deepcopy__(self, memo: Any) -> TracedArray:
        return self.__copy__()

    def __matmul__(self, other: Any) -> Any:
        if leaves_to(type(other), "__rmatmul__"):
            return NotImplemented
        return np.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return FUNCTIONS[np.matmul](self._trace_of((other, self)), other, self)


def plain_array(trace: Trace, array: npt.NDArray[Any]) -> TracedArray:
    """A traced array over the memory of an ordinary one, which nobody else may use."""
    if trace.finished:  # made from a plain array that outlived its trace
        trace = current_trace() or trace
    if array.flags.c_contiguous:
        memory = array.reshape(-1)
    else:
        # The order of the axes in memory is kept: it decides what ravel() makes a view.
        array = array.copy(order="K")
        memory = array.transpose(sorted(range(array.ndim), key=lambda axis: -array.strides[axis])).reshape(-1)
    parts = (memory.real, memory.imag) if array.dtype.kind == "c" else (memory,)
    storages = tuple(Storage(trace, memory.size, plain=part) for part in parts)
    address = contiguous(array.shape) if memory.size and array.flags.c_contiguous else None
    return TracedArray(trace, storages, array, memory, array.dtype, address)


def adopted(trace: Trace, result: Any, *sources: Any) -> Any:
    """What NumPy gave for plain arrays, as ours again: a view shares the memory of the array that it is a view of."""
    if type(result) in (list, tuple):
        return type(result)(adopted(trace, part, *sources) if _is_floating(part) else part for part in result)
    if not isinstance(result, np.ndarray) or result.dtype.kind not in "biufc":
        return result
    for owner in sources:
        if type(owner) is TracedArray and result.dtype == owner.dtype and np.may_share_memory(result, owner.window):
            return owner.at_view(result)
    return plain_array(trace, result)


def _is_floating(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind in "fc"


def plain_result(trace: Trace, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What NumPy itself gives for arguments that are all plain."""
    return adopted(trace, call(*plain(args), **plain(kwargs)), *args)
