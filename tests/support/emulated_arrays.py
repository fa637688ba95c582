"""Device arrays of `emulated_cupy`: NumPy's memory behind a face that refuses to become NumPy by itself."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from emulated_machine import KNOWN, Device, Stream, allocated, counts, current_stream, launch


class Pointer:
    """The address of an array on the device."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array
        self.ptr = array.ctypes.data
        KNOWN.add(array)

    def copy_to_host_async(self, place: Any, size: int, stream: Stream | None = None) -> None:
        """Copy when someone waits."""
        counts.to_host += 1
        counts.bytes_to_host += size
        stream = stream or current_stream()
        source = self._array.reshape(-1).view(np.uint8)[:size]
        address = int(getattr(place, "value", place))

        def copy() -> None:
            ctypes.memmove(address, source.ctypes.data, size)

        stream.later(copy)

    def memset_async(self, value: int, size: int, stream: Stream | None = None) -> None:
        """Fill with bytes."""
        array = self._array.reshape(-1).view(np.uint8)
        launch(lambda: array[:size].fill(value), stream or current_stream())


class ndarray:
    """Numbers on a device."""

    __array_priority__ = 100

    def __init__(self, shape: Any = (), dtype: Any = float, memory: Any = None, device: int | None = None) -> None:
        self.memory = allocated(np.empty(shape, dtype)) if memory is None else memory
        self.device = Device(device)

    def __array__(self, *_: object, **__: object) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self.memory.__array_interface__, "version": 3, "stream": 1}

    def __dlpack__(self, **_: Any) -> Any:
        return self.memory.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.device.id

    def __array_function__(self, function: Any, *_: object) -> Any:
        raise TypeError(f"{function.__name__} of an array on the device")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return computed(getattr(ufunc, method), *inputs, **keywords)

    shape = property(lambda self: self.memory.shape)
    dtype = property(lambda self: self.memory.dtype)
    size = property(lambda self: self.memory.size)
    ndim = property(lambda self: self.memory.ndim)
    nbytes = property(lambda self: self.memory.nbytes)
    itemsize = property(lambda self: self.memory.itemsize)
    strides = property(lambda self: self.memory.strides)
    flags = property(lambda self: self.memory.flags)
    data = property(lambda self: Pointer(self.memory))
    T = property(lambda self: self._view(self.memory.T))

    def _view(self, memory: Any) -> ndarray:
        return ndarray(memory=memory, device=self.device.id)

    def reshape(self, *shape: Any) -> ndarray:
        """A view where it can be one."""
        made = self.memory.reshape(*shape)
        return self._view(made if np.shares_memory(made, self.memory) or not made.size else allocated(made))

    def ravel(self) -> ndarray:
        """The same, flat."""
        return self.reshape(-1)

    def view(self, dtype: Any) -> ndarray:
        """The same bytes."""
        return self._view(self.memory.view(dtype))

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> ndarray:
        """Other numbers."""
        if not copy and self.dtype == dtype:
            return self
        launch(lambda: None)
        return self._view(allocated(self.memory.astype(dtype, order=order)))

    def copy(self) -> ndarray:
        """An array of its own."""
        launch(lambda: None)
        return self._view(allocated(self.memory.copy()))

    def get(self, stream: Stream | None = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        """A copy on the host, when all that was asked for is done."""
        counts.to_host += 1
        counts.bytes_to_host += self.nbytes
        (stream or current_stream()).synchronize()
        return self.memory.copy()

    def item(self, *args: Any) -> Any:
        """One number on the host."""
        return self.get().item(*args)

    def set(self, array: Any, stream: Stream | None = None) -> None:
        """Copy from the host."""
        counts.to_device += 1
        self.memory[...] = array

    def fill(self, value: Any) -> None:
        """The same number everywhere."""
        memory = self.memory
        launch(lambda: memory.fill(value))

    def __getitem__(self, key: Any) -> ndarray:
        if (isinstance(key, tuple) and any(isinstance(k, ndarray) for k in key)) or isinstance(key, ndarray):
            keys = key if isinstance(key, tuple) else (key,)
            return computed(lambda a, *k: a[k if len(k) > 1 else k[0]], self, *keys)
        made = np.asarray(self.memory[key])
        if key is not Ellipsis and made.ndim == 0 and self.memory.ndim:
            made = self.memory.reshape(-1)[int(np.arange(self.size).reshape(self.shape)[key])][...]
            return self._view(np.asarray(made))
        return self._view(made)

    def __setitem__(self, key: Any, value: Any) -> None:
        memory, given = self.memory, value.memory if isinstance(value, ndarray) else value
        assert isinstance(value, ndarray) or not np.ndim(value), "an array of the host"

        def write() -> None:
            memory[key.memory if isinstance(key, ndarray) else key] = given

        launch(write)

    def __len__(self) -> int:
        return len(self.memory)

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __repr__(self) -> str:
        return f"emulated {self.memory!r}"

    def __iter__(self) -> Iterator[ndarray]:
        return (self[k] for k in range(len(self)))

    def dot(self, other: Any) -> ndarray:
        """A product of matrices or vectors."""
        return self @ other


def _operator(name: str) -> Callable[..., Any]:
    def apply(*operands: Any, **keywords: Any) -> Any:
        return computed(lambda *values: getattr(values[0], name)(*values[1:], **keywords), *operands)

    return apply


def _in_place(name: str) -> Callable[..., Any]:
    def apply(self: ndarray, other: Any) -> ndarray:
        memory, given = self.memory, memory_of(other)
        launch(lambda: getattr(memory, name)(given))
        return self

    return apply


_BINARY = ("add", "sub", "mul", "truediv", "pow", "matmul", "mod", "and", "or", "xor", "floordiv")
for _name in _BINARY:
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _operator(f"__r{_name}__"))
    setattr(ndarray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in ("neg", "abs", "lt", "le", "gt", "ge", "eq", "ne", "invert"):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("sum", "max", "min", "any", "all", "mean", "cumsum", "argmax", "nonzero"):
    setattr(ndarray, _name, _operator(_name))
ndarray.__hash__ = None  # type: ignore[assignment]


def memory_of(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError(f"Unsupported type {type(value)}")
    return value.memory if isinstance(value, ndarray) else value


def computed(function: Callable[..., Any], *operands: Any, **keywords: Any) -> Any:
    """A function of NumPy on what the devices hold; the result is a new array."""
    placed = {name: memory_of(value) for name, value in keywords.items()}
    result = function(*map(memory_of, operands), **placed)
    launch(lambda: None)
    if isinstance(result, tuple):
        return tuple(ndarray(memory=allocated(np.asarray(part))) for part in result)
    return ndarray(memory=allocated(np.asarray(result)))


class Foreign:
    """An array of another library, on a device, which says where it lies by DLPack."""

    def __init__(self, array: Any) -> None:
        self.memory = array.memory

    def __dlpack__(self, **_: Any) -> Any:
        return self.memory.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0
