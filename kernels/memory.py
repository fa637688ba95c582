"""Arrays of compiled code from a table of addresses: ``float64_1(table, k)`` and so on, made on first use.

A function that takes dozens of arrays takes long to compile, mostly for looking at its arguments. A table of addresses
and lengths is one argument.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import load

ENTRIES = 3
"""Numbers in the table for each array: address, rows, columns."""


def describe(array: npt.NDArray[Any]) -> tuple[int, int, int]:
    """The numbers that stand for a contiguous array of one or two dimensions; whoever holds them keeps it alive."""
    return array.ctypes.data, len(array), array.shape[1] if array.ndim == 2 else 1


def maker(array: npt.NDArray[Any]) -> str:
    """The name of the function that gives an array of this sort."""
    return f"{array.dtype.name}_{array.ndim}"


def __getattr__(name: str) -> Any:
    if name == "overlap":
        return np.may_share_memory if load("numba.core.config").DISABLE_JIT else _overlap()
    dtype, _, dimensions = name.rpartition("_")
    if dtype not in ("float64", "uint32", "uint64") or dimensions not in ("1", "2"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    disabled = load("numba.core.config").DISABLE_JIT
    return (_plain if disabled else _intrinsic)(dtype, int(dimensions))


@cache
def _overlap() -> Any:
    """Whether two vectors of float64 share memory."""
    numba, arrayobj = load("numba"), load("numba.np.arrayobj")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (arrayobj.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 1))
        whole = a.nitems.type
        starts = [builder.ptrtoint(array.data, whole) for array in (a, b)]
        ends = [builder.add(s, builder.mul(v.nitems, whole(8))) for s, v in zip(starts, (a, b), strict=True)]
        return builder.and_(
            builder.icmp_unsigned("<", starts[0], ends[1]), builder.icmp_unsigned("<", starts[1], ends[0])
        )

    def overlap(typing_context: Any, a: Any, b: Any) -> Any:
        return numba.types.boolean(a, b), generate

    return load("numba.extending").intrinsic(overlap)


@cache
def _plain(dtype: str, dimensions: int) -> Any:
    """For plain Python: what numba runs when it compiles nothing."""

    def array(table: npt.NDArray[np.int64], place: int) -> npt.NDArray[Any]:
        address, *lengths = (int(number) for number in table[place : place + ENTRIES])
        shape = tuple(lengths[:dimensions])
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        held = memoryview((ctypes.c_char * size).from_address(address))
        return np.frombuffer(held, dtype=dtype).reshape(shape) if size else np.empty(shape, dtype)

    return array


@cache
def _intrinsic(dtype: str, dimensions: int) -> Any:
    numba, arrayobj = load("numba"), load("numba.np.arrayobj")
    made = numba.types.Array(getattr(numba.types, dtype), dimensions, "C")
    itemsize = np.dtype(dtype).itemsize

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = arrayobj.make_array(signature.args[0])(context, builder, arguments[0])

        def entry(k: int) -> Any:
            place = builder.add(arguments[1], arguments[1].type(k))
            return builder.load(builder.gep(table.data, [place]))

        array = arrayobj.make_array(made)(context, builder)
        shape = [entry(1 + axis) for axis in range(dimensions)]
        item = shape[0].type(itemsize)
        strides = [builder.mul(shape[1], item), item] if dimensions == 2 else [item]
        data = builder.inttoptr(entry(0), array.data.type)
        arrayobj.populate_array(array, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None)
        return array._getvalue()

    def array_at(typing_context: Any, table: Any, place: Any) -> Any:
        return made(table, numba.types.int64), generate

    return load("numba.extending").intrinsic(array_at)
