"""Which objects lie in the memory of a GPU, and public calls that go there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from kernels.lazy import load

P = ParamSpec("P")
T = TypeVar("T")

_CUDA = (2, 13)
"""Numbers of DLPack for memory of CUDA devices: plain and managed."""

_HOST = frozenset([np.ndarray, float, int, complex, bool, str, bytes, type(None), np.float64, np.int64, np.bool_])

_SEARCHED = 64
"""Longer containers that begin with something of the host hold nothing else."""

_DEEPEST = 8
"""Containers inside containers are searched so far: they may hold themselves."""


def is_on_device(value: Any) -> bool:
    """Whether something is an array in the memory of a CUDA device: CuPy's, PyTorch's, JAX's, numba's.

    >>> is_on_device(np.ones(3))
    False
    """
    kind = type(value)
    if kind in _HOST:
        return False
    if hasattr(kind, "__cuda_array_interface__"):
        with suppress(Exception):  # PyTorch's arrays on the host say no by an error
            return value.__cuda_array_interface__ is not None
    ask = getattr(kind, "__dlpack_device__", None)
    with suppress(Exception):
        return ask is not None and int(ask(value)[0]) in _CUDA
    return False


def holds_device_array(value: Any, depth: int = 0) -> bool:
    """Whether an argument is an array on a device, or a container of some."""
    kind = type(value)
    if kind in _HOST or depth > _DEEPEST:
        return False
    items = items_of(value)
    if items is None:
        return is_on_device(value)
    if len(items) > _SEARCHED and type(items[0]) in _HOST:
        return False
    return any(holds_device_array(item, depth + 1) for item in items)


def items_of(value: Any) -> list[Any] | None:
    """What a container holds; None for anything else."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type) and not hasattr(type(value), "__array__"):
        return [getattr(value, field.name) for field in fields(value)]
    return None


def each_array(value: Any) -> Iterator[Any]:
    """The arrays on devices in an argument."""
    if is_on_device(value):
        yield value
        return
    for item in items_of(value) or ():
        yield from each_array(item)


def reaches_device(function: Callable[P, T]) -> Callable[P, T]:
    """A public call that is made by `sparsejac.device.calls` where an argument lies on a device."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if any(map(holds_device_array, args)) or any(map(holds_device_array, kwargs.values())):
            made: T = load("sparsejac.device.calls").call(function, args, kwargs)
            return made
        return function(*args, **kwargs)

    return call
