"""Kernels with one text and two ways to run: by Python on lists, or compiled by numba on arrays.

A kernel here is a plain function over integers and indexable arguments that it reads and fills. Small problems run it
as it stands, for lists are quicker than arrays one element at a time, and numba takes longer to import than they take
to color. Large ones compile it once; numba keeps the machine code on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, update_wrapper
from types import FunctionType
from typing import Any, Protocol, cast

import numpy as np

# Python needs about 0.1 microseconds a visited entry, and numba a third of a second to be imported.
SMALL = 500_000

# Entries above which machine code answers sooner once numba is imported, for a kernel on disk is loaded in
# milliseconds; and once the kernel is loaded, for a call takes some microseconds.
AWAKE = 50_000
WARM = 1000
_loaded: set[Callable[..., Any]] = set()


class Ints(Protocol):
    """A list of int or an array of integers, one element at a time."""

    def __len__(self) -> int:
        """Count the elements."""
        ...

    def __getitem__(self, place: int, /) -> Any:
        """Read an element."""
        ...

    def __setitem__(self, place: int, value: Any, /) -> None:
        """Write an element."""
        ...


@cache
def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel to machine code that runs without the interpreter's lock."""
    import numba

    _loaded.add(kernel)
    kernel = _with_compiled_parts(kernel)
    machine: Callable[..., Any]
    try:
        machine = numba.njit(nogil=True, cache=True)(kernel)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        machine = numba.njit(nogil=True)(kernel)
    return machine


def _with_compiled_parts(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Let a kernel call machine code of the kernels it is made of: they stand in its file, as numba's cache asks."""
    names = cast("FunctionType", kernel).__code__.co_names
    parts = {name: value for name in names if isinstance(value := kernel.__globals__.get(name), FunctionType)}
    if not parts:
        return kernel
    machine = {name: compiled(part) for name, part in parts.items()}
    whole = FunctionType(kernel.__code__, {**kernel.__globals__, **machine}, kernel.__name__)
    return update_wrapper(whole, kernel)


def pays(kernel: Callable[..., Any], work: int, small: int) -> bool:
    """Whether machine code answers sooner than Python: beyond `small` entries, or if it is loaded, nearly always."""
    if kernel in _loaded:
        return work > min(small, WARM)
    return work > (min(small, AWAKE) if _loaded else small)


def run(kernel: Callable[..., int | None], work: int, *arguments: Any) -> int:
    """Run a kernel in the way that answers soonest.

    Parameters
    ----------
    kernel : function
        Returns an integer or nothing.
    work : int
        Estimate of the entries it visits.
    *arguments : int or 1-D array
        Writable arrays are filled; read-only ones are input.
    """
    if pays(kernel, work, SMALL):
        return compiled(kernel)(*arguments) or 0
    lists = [value.tolist() if isinstance(value, np.ndarray) else value for value in arguments]
    result = kernel(*lists)
    for value, filled in zip(arguments, lists, strict=True):
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value[:] = filled
    return result or 0
