"""Which places the rows of a call touch, part by part: ranges, from which it is told what has to run before what."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine
from kernels.evaluation import Touch
from kernels.records import dataclass

Whole = npt.NDArray[np.int64]

BEYOND = np.iinfo(np.int64).max
"""The least of no places."""


@dataclass(frozen=True, eq=False)
class Span:
    """The least and the greatest place that each part of a call loads from or writes to."""

    low: Whole
    high: Whole
    writes: bool

    def is_among(self, other: Span) -> bool:
        """Whether both do the same, and no place tells all of one from all of the other."""
        overlap = self.low.min() <= other.high.max() and other.low.min() <= self.high.max()
        return self.writes == other.writes and bool(overlap)

    def with_(self, other: Span) -> Span:
        """Both as one."""
        return Span(np.minimum(self.low, other.low), np.maximum(self.high, other.high), self.writes)


def bounds_of(touch: Touch, edges: Whole) -> tuple[Whole, Whole]:
    """The least and the greatest place that rows touch between edges; where there are none, nothing lies between."""
    if touch.indptr is not None:
        return bounds_between(touch.address, np.asarray(touch.indptr, np.int64)[edges], 1)
    return bounds_between(touch.address, edges, prod(touch.address.box[1:]))


def bounds_between(address: Address, edges: Whole, inner: int) -> tuple[Whole, Whole]:
    """The least and the greatest place of an address between edges along its first dimension; see `bounds_of`.

    Parameters
    ----------
    address : Address
    edges : array of int
        In increasing order.
    inner : int
        Points along the other dimensions.
    """
    low, high = np.full(len(edges) - 1, BEYOND), np.full(len(edges) - 1, -1)
    some = np.flatnonzero(edges[:-1] < edges[1:]) if inner else np.arange(0)
    if not len(some):
        return low, high
    first, last = edges[some], edges[some + 1]
    if isinstance(address, Affine):
        reaches = [stride * (length - 1) for stride, length in zip(address.strides[1:], address.box[1:], strict=True)]
        ends = np.stack([first, last - 1]) * address.strides[0] + address.offset
        low[some] = ends.min(axis=0) + sum(min(r, 0) for r in reaches)
        high[some] = ends.max(axis=0) + sum(max(r, 0) for r in reaches)
    else:
        places = address.places[: last[-1] * inner]
        low[some] = np.minimum.reduceat(places, first * inner)
        high[some] = np.maximum.reduceat(places, first * inner)
    return low, high


def needed(earlier: tuple[Whole, Whole], later: tuple[Whole, Whole]) -> Whole:
    """For each part of a later call the last part of an earlier one that may touch the same places; -1 for none.

    >>> needed((np.array([0, 4]), np.array([3, 7])), (np.array([0, 3, 9]), np.array([2, 4, 9]))).tolist()
    [0, 1, -1]
    """
    least = np.minimum.accumulate(earlier[0][::-1])[::-1]
    last = np.searchsorted(least, later[1], side="right") - 1
    greatest = np.maximum.accumulate(earlier[1])
    return np.where((last >= 0) & (greatest[np.maximum(last, 0)] >= later[0]), last, -1)
