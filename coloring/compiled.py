"""Kernels with one text and two ways to run: by Python on lists, or compiled by numba on arrays.

A kernel here is a plain function over integers and indexable arguments that it reads and fills. Small problems run it
as it stands, for lists are quicker than arrays one element at a time, and numba takes longer to import than they take
to color. Large ones compile it once; numba keeps the machine code on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import numpy as np

# Python needs about 0.1 microseconds a visited entry, and numba a third of a second to be imported.
SMALL = 500_000


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

    machine: Callable[..., Any]
    try:
        machine = numba.njit(nogil=True, cache=True)(kernel)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        machine = numba.njit(nogil=True)(kernel)
    return machine


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
    if work > SMALL:
        return compiled(kernel)(*arguments) or 0
    lists = [value.tolist() if isinstance(value, np.ndarray) else value for value in arguments]
    result = kernel(*lists)
    for value, filled in zip(arguments, lists, strict=True):
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value[:] = filled
    return result or 0
