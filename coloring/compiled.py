"""Kernels with one text and two ways to run: by Python on lists, or compiled by numba on arrays.

A kernel here is a plain function over integers and indexable arguments that it reads and fills. Small problems run it
as it stands, for lists are quicker than arrays one element at a time, and numba takes longer to import than they take
to color. Large ones compile it once; numba keeps the machine code on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, update_wrapper
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

# Python needs about 0.1 microseconds a visited entry; numba a third of a second to be imported, and longer to compile a
# kernel.
SMALL = 500_000

# A kernel is compiled after so many times as many visits in several calls, too.
PATIENCE = 10
# Visits in several calls, where another kernel has run and this one is on disk, for it is loaded in milliseconds then;
# at its first one numba makes itself ready, which takes as long as its import. And visits in one call once a kernel is
# loaded, for a call takes some microseconds.
AWAKE = 20_000
WARM = 1000

# Kernels with the types of their arguments that were found worth it, and visits by Python of others.
_ready: set[tuple[Callable[..., Any], tuple[Any, ...]]] = set()
_visits: dict[Callable[..., Any], int] = {}


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


def unsigned(indices: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """View indices as numbers without a sign, which machine code need not count from the end: half the time in loops.

    64-bit ones stay as they are, for numba makes floats of sums of these and numbers with a sign.

    Examples
    --------
    >>> unsigned(np.arange(3, dtype=np.int32)).dtype
    dtype('uint32')
    """
    return indices.view(np.uint32) if indices.dtype == np.int32 else indices


@cache
def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel to machine code that runs without the interpreter's lock."""
    import numba

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


def pays(kernel: Callable[..., Any], work: int, small: int, arguments: Sequence[Any] = ()) -> bool:
    """Whether machine code answers sooner than Python, or will after as many calls as there were; both answer the same.

    Parameters
    ----------
    kernel : function
    work : int
        Estimate of the entries it visits in this call.
    small : int
        Visits up to which it is worth neither importing numba nor compiling the kernel.
    arguments : sequence
        What it will be called with: each combination of types is compiled by itself.
    """
    for value in arguments:  # vertices without entries are visited, too
        if isinstance(value, np.ndarray) and len(value) > work:
            work = len(value)
    if work <= WARM and work <= small:
        return False
    key = (kernel, tuple([_type(value) for value in arguments]) if arguments else ())
    if key in _ready:
        return True
    visits = _visits.get(kernel, 0) + work
    if work > small or visits > (AWAKE if _on_disk(kernel) else PATIENCE * small):
        _ready.add(key)
        return True
    _visits[kernel] = visits
    return False


def python_pays(kernel: Callable[..., Any], work: int) -> bool:
    """Whether Python answers sooner, so that a text of its own for it is worth calling instead of `run`."""
    return not pays(kernel, work, SMALL)


def _type(value: Any) -> Any:
    """Tell apart what numba tells apart."""
    if isinstance(value, np.ndarray):
        return value.dtype.num, value.flags.writeable, value.flags.c_contiguous
    return type(value)


def _on_disk(kernel: Callable[..., Any]) -> bool:
    """Whether machine code was worth it before, so that numba is ready, and that of a kernel is on disk."""
    return bool(_ready) and _cached(kernel)


@cache
def _cached(kernel: Callable[..., Any]) -> bool:
    folder = getattr(getattr(compiled(kernel), "stats", None), "cache_path", None)
    code = cast("FunctionType", kernel).__code__
    return folder is not None and any(Path(folder).glob(f"*.{code.co_name}-{code.co_firstlineno}.*.nbi"))


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
    if pays(kernel, work, SMALL, arguments):
        return compiled(kernel)(*arguments) or 0
    lists = [value.tolist() if isinstance(value, np.ndarray) else value for value in arguments]
    result = kernel(*lists)
    for value, filled in zip(arguments, lists, strict=True):
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value[:] = filled
    return result or 0
