"""Points put together by their places: what is added at one place, what is read from one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from kernels.address import Content
from kernels.symbolic import COMPILED_FROM, group

Grouping = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int64]]
_INT32_MAX = np.iinfo(np.int32).max
_LONG = 2**12
"""Points from which a grouping is kept for whoever asks again."""

_SPREAD = 8
"""Places for each point beyond which points are sorted, and not counted."""

_groupings: ContextVar[dict[Content, Grouping] | None] = ContextVar("groupings", default=None)


@contextmanager
def following_twice() -> Iterator[None]:
    """Group the same places once: for whoever follows a function again."""
    token = _groupings.set({})
    try:
        yield
    finally:
        _groupings.reset(token)


def grouped(places: npt.NDArray[Any]) -> Grouping:
    """Points by place, those of one place as they stood; the distinct places; the indptr of the points of each.

    Many points are counted and not compared: passes over the points and one over the places, by SciPy's transposition
    of a matrix with one row, or by a compiled loop.

    >>> [found.tolist() for found in grouped(np.array([2, 0, 2]))]
    [[1, 0, 2], [0, 2], [0, 1, 3]]
    """
    known = _groupings.get() if len(places) >= _LONG else None
    if known is None:
        return _grouped(places)
    fits = int(places.min()) >= -_INT32_MAX and int(places.max()) <= _INT32_MAX
    own = places.astype(np.int32 if fits else places.dtype)  # the caller may change them before f is followed again
    key = Content(own)
    if key not in known:
        known[key] = _grouped(own)
    return known[key]


def _grouped(places: npt.NDArray[Any]) -> Grouping:
    size = int(places.max(initial=-1)) + 1
    if size > _SPREAD * len(places) or int(places.min(initial=0)) < 0:
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
        return order, ordered[starts].astype(np.int64, copy=False), np.append(starts, len(places))
    if COMPILED_FROM <= len(places) <= _INT32_MAX and size <= _INT32_MAX:
        order, ends = group(np.ascontiguousarray(places, dtype=np.int32), size)
        distinct = np.flatnonzero(np.diff(ends, prepend=ends.dtype.type(0)))
        indptr = np.zeros(len(distinct) + 1, dtype=np.int64)
        indptr[1:] = ends if len(distinct) == size else ends[distinct]
        return order, distinct, indptr
    dtype = np.int32 if max(len(places), size) <= _INT32_MAX else np.int64
    points, ends = np.arange(len(places), dtype=dtype), np.array([0, len(places)], dtype=dtype)
    row: Any = csr_array((points, places.astype(dtype, copy=False), ends), shape=(1, size))
    by_place = row.tocsc()
    distinct = np.flatnonzero(np.diff(by_place.indptr))
    return by_place.data, distinct, np.append(by_place.indptr[distinct], len(places)).astype(np.int64)
