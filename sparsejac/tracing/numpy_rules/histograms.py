"""Histograms: the bin of each number is a decision; the weights, and edges that follow the data, keep derivatives."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain, given, plain
from sparsejac.tracing.registry import refuses, traces
from sparsejac.tracing.trace import Trace

_BINS = "the bin of each number is a decision"

refuses(
    np.histogram2d,
    np.histogramdd,
    why="there is no rule for histograms of several variables",
    cure="use np.digitize for each variable and np.bincount of the combined bins",
)


def _edges(trace: Trace, a: Any, bins: Any, range: Any) -> Any:
    """The edges as NumPy finds them; they depend on x if the data do and no range is given."""
    if isinstance(bins, str):
        raise trace.refusal(
            f"np.histogram with bins={bins!r}", "the number of bins would depend on the data", "give the number"
        )
    if all_plain((a, bins, range)):
        return np.histogram_bin_edges(a, bins, range)
    if np.ndim(bins):
        if not bool(np.all(bins[1:] >= bins[:-1])):
            raise ValueError("`bins` must increase monotonically, when an array")
        return bins
    count = index(bins)
    if count < 1:
        raise ValueError("`bins` must be positive, when an integer")
    low, high = _outer_edges(a, range)
    steps = np.arange(count + 1.0)
    edges = steps * ((high - low) / count) + low
    return np.concatenate([edges[:-1], np.reshape(high, 1)])


def _outer_edges(a: Any, range: Any) -> Any:
    if range is None and not np.size(a):
        return 0.0, 1.0
    low, high = (np.min(a), np.max(a)) if range is None else range
    if low > high:
        raise ValueError("max must be larger than min in range parameter.")
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("supplied or detected range is not finite")
    return (low - 0.5, high + 0.5) if low == high else (low, high)


@traces(np.histogram_bin_edges)
def _histogram_bin_edges(trace: Trace, a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    return _edges(trace, a, bins, range)


@traces(np.histogram, convention=_BINS)
def _histogram(
    trace: Trace, a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    if given(weights) and np.shape(weights) != np.shape(a):
        raise ValueError("weights should have the same shape as a.")
    data, edges = np.ravel(a), _edges(trace, a, bins, range)
    count = len(edges) - 1
    places = np.asarray(plain(np.searchsorted(edges[:-1], data, "right"))) - 1
    inside = places >= 0
    last = np.flatnonzero(places == count - 1)  # only the last bin holds its upper edge
    inside[last] = _kept(data[last] <= edges[-1])
    sums = _sums(places[inside], None if weights is None else np.ravel(weights)[inside], count)
    return (sums / np.diff(edges) / np.sum(sums) if density else sums), edges


def _kept(mask: Any) -> Any:
    """A mask in numbers: what of it depends on x becomes a decision."""
    kept = np.zeros(mask.shape, dtype=bool)
    kept[np.nonzero(mask)] = True
    return kept


def _sums(places: Any, weights: Any, count: int) -> Any:
    """The sums of the weights in each bin, or the counts."""
    if weights is None:
        return np.bincount(places, minlength=count)
    if weights.dtype.kind == "c":
        return _sums(places, weights.real, count) + 1j * _sums(places, weights.imag, count)
    return np.bincount(places, weights, minlength=count).astype(weights.dtype)
