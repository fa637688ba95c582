"""Patterns that no memory can hold are refused before they are made."""

from __future__ import annotations

import os

import numpy as np
from scipy.sparse import csr_array

from kernels.lazy import Lazy
from sparsejac.errors import InputError
from sparsejac.patterns.pattern import IndexArray

LOCATION = Lazy("sparsejac.location")

BYTES = 8
"""What an entry takes at the least: its column, as int64 where there are so many, or its value."""

UNKNOWN = 1 << 39
"""Taken for the memory of a machine that does not say how much it has."""


def memory() -> int:
    """Bytes of memory that this machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN


def check_room(selected: csr_array, lengths: IndexArray, size: int, each: int = BYTES) -> None:
    """Refuse rows that take more than twice the memory of the machine, be they united as well as can be.

    Parameters
    ----------
    selected : csr_array
        Which of other rows each row is the union of.
    lengths : array of int
        Entries of these others.
    size : int
        Number of unknowns.
    each : int
        Bytes that an entry takes at the least.

    Raises
    ------
    InputError
        With the number of entries, and what to ask for instead.
    """
    begins = selected.indptr[:-1][np.diff(selected.indptr) > 0]
    if not len(begins):
        return
    # A union has as many entries as the longest of its rows, or more.
    longest = np.maximum.reduceat(lengths[selected.indices], begins)
    entries, most = int(longest.sum(dtype=np.int64)), memory()
    if entries * each <= 2 * most:
        return
    raise InputError(
        f"sparsejac: derivatives of {selected.shape[0]} intermediate or final results by {size} unknowns have "
        f"{entries:.1e} entries or more, which take {entries * each / 2**30:.0f} GiB; this machine has "
        f"{most / 2**30:.0f}\n  {LOCATION.user_location()}\n  Cure: ask for what needs no matrix: jvp, vjp, gradient, "
        "jacobian_operator; for second derivatives hvp, hessian_operator."
    )
