"""Medians, percentiles and quantiles: mixtures of two elements that stand next to each other in the order.

Decisions tell which elements stand there and which others come before and after them; in what order these are among
themselves is left open, so that a plan follows f again only when another element comes to be the chosen one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.distinct import distinct_numbers
from sparsejac.tracing.base import all_plain, given, plain
from sparsejac.tracing.casting import peek
from sparsejac.tracing.conversion import as_value, delivered, wrap
from sparsejac.tracing.numpy_rules.orders import Axes, Lanes, Places, decide_nans, gathered, lanes_of
from sparsejac.tracing.reals import Value
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

Floats = npt.NDArray[np.float64]
Weigh = Callable[[int], tuple[Places, Floats]]
"""For a number of elements the ranks of the lower ones of each pair, and how much of the upper ones is mixed in."""

_TIES = "ties: the element that a stable sort puts there"


class _Mixture:
    """For each quantile and each lane the two elements that are mixed, and how much of the second one."""

    def __init__(self, lanes: Lanes, quantiles: int) -> None:
        self.lanes = lanes
        shape = (quantiles, len(lanes.places))
        self.below, self.above = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self.fraction = np.zeros(shape)

    def fill(self, weigh: Weigh, skips_nans: bool) -> None:
        """Choose the elements of all lanes, those of equal numbers of elements together."""
        lanes, nans = self.lanes, np.isnan(self.lanes.numbers)
        counts = lanes.length - nans.sum(axis=1)
        order = lanes.stable_order()
        for count in map(int, np.unique(counts)):
            rows = counts == count
            if count and (skips_nans or count == lanes.length):
                self._choose(rows, order[rows, :count], *weigh(count))
            else:  # the result is NaN: the last element in the order is one
                self.below[:, rows] = self.above[:, rows] = _at(lanes.subset(rows), order[rows])[:, -1]
            if skips_nans and lanes.length > 1 and (count < lanes.length):
                decide_nans(lanes.trace, lanes.value, lanes.places[rows])
            elif count < lanes.length:
                decide_nans(lanes.trace, lanes.value, self.below[0, rows])

    def _choose(self, rows: npt.NDArray[np.bool_], order: Places, ranks: Places, fraction: Floats) -> None:
        part = self.lanes.subset(rows)
        above = ranks + (fraction > 0.0)
        part.decide_ranks(order, distinct_numbers(np.array([ranks, above])))
        places = _at(part, order)
        self.below[:, rows], self.above[:, rows] = places[:, ranks].T, places[:, above].T
        self.fraction[:, rows] = fraction[:, None]

    def result(self, shape: tuple[int, ...], mix: Callable[[Any, Any, Floats], Any]) -> Any:
        """The mixed elements, in the shape of the result."""
        trace, value, fraction = self.lanes.trace, self.lanes.value, self.fraction.reshape(shape)
        below, above = (wrap(trace, gathered(value, places.reshape(shape))) for places in (self.below, self.above))
        mixed = mix(below, above, fraction) if fraction.any() else below
        return np.where(fraction > 0.0, mixed, below) if 0 < np.count_nonzero(fraction) < fraction.size else mixed


def _at(lanes: Lanes, order: Places) -> Places:
    return np.take_along_axis(lanes.places, order, axis=1)


def _middle(count: int) -> tuple[Places, Floats]:
    """The median, as ranks and fractions."""
    return np.array([(count - 1) // 2]), np.array([0.0 if count % 2 else 0.5])


def _mean_of_two(below: Any, above: Any, fraction: Floats) -> Any:
    return (below + above) / 2.0


def _linear(below: Any, above: Any, fraction: Floats) -> Any:
    """The point between two elements, computed from the nearer one, as NumPy does."""
    step = above - below
    return np.where(fraction >= 0.5, above - step * (1.0 - fraction), below + step * fraction)


def _ranks_of(q: Floats, method: str) -> Weigh:
    """Ranks and fractions of quantiles, found by NumPy itself from the numbers 0, 1, 2, ..."""

    def weigh(count: int) -> tuple[Places, Floats]:
        steps = np.arange(float(count))
        places = np.quantile(steps, q, method=method)  # type: ignore[call-overload]
        ranks = np.floor(places).astype(np.int64)
        between = np.flatnonzero(places > ranks)
        fraction = np.zeros(len(q))
        for k in between:
            # A step from 0 to 1 shows the fraction with all its digits.
            fraction[k] = np.quantile((steps > ranks[k]).astype(float), q[k], method=method)  # type: ignore[call-overload]
        return ranks, fraction

    return weigh


def _result_shape(shape: tuple[int, ...], gone: tuple[int, ...], keepdims: Any) -> tuple[int, ...]:
    if given(keepdims) and keepdims:
        return tuple(1 if k in gone else n for k, n in enumerate(shape))
    return tuple(n for k, n in enumerate(shape) if k not in gone)


def _numbers_of(trace: Trace, a: Any, name: str) -> Value:
    """The data, truth values as numbers."""
    value = as_value(trace, a)
    if value.kind == "c":
        raise trace.refusal(f"{name} of complex values", "there is no rule for it", "take real and imaginary parts")
    return Value(value.real) if value.kind in "bi" else value


def _median(function: Any, skips_nans: bool) -> Any:
    name = f"np.{function.__name__}"

    def follow(
        trace: Trace, a: Any, axis: Axes = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
    ) -> Any:
        value = _numbers_of(trace, a, name)
        present = function(peek(trace, value), axis, keepdims=given(keepdims) and bool(keepdims))
        if not value.size:
            return delivered(trace, present, out, name)
        lanes, _, gone = lanes_of(trace, value, axis)
        mixture = _Mixture(lanes, 1)
        mixture.fill(_middle, skips_nans)
        result = mixture.result(_result_shape(value.shape, gone, keepdims), _mean_of_two)
        return delivered(trace, _in_dtype(result, present.dtype), out, name)

    return follow


traces(np.median, convention=_TIES)(_median(np.median, False))
traces(np.nanmedian, convention=_TIES)(_median(np.nanmedian, True))


def _quantile(function: Any, scale: float, skips_nans: bool) -> None:
    name = f"np.{function.__name__}"

    def follow(
        trace: Trace, a: Any, q: Any, axis: Axes = None, out: Any = None, overwrite_input: bool = False,
        method: str = "linear", keepdims: Any = False, *, weights: Any = None, **others: Any,
    ) -> Any:  # fmt: skip
        _check_constant(trace, name, q=q, weights=weights)
        value, q, weights = _numbers_of(trace, a, name), np.asarray(plain(q)), plain(weights)
        others.update(method=method, keepdims=given(keepdims) and bool(keepdims))
        present = function(peek(trace, value), q, axis, weights=weights, **others)
        if not value.size or not q.size:
            return delivered(trace, present, out, name)
        lanes, _, gone = lanes_of(trace, value, axis)
        wanted = np.true_divide(q, scale).reshape(-1)
        mixture = _Mixture(lanes, wanted.size)
        if weights is None:
            mixture.fill(_ranks_of(wanted, method), skips_nans)
        else:
            quantile: Any = np.quantile
            _fill_weighted(mixture, lambda ranks: quantile(ranks, wanted, axis, weights=weights, method=method))
        result = mixture.result(q.shape + _result_shape(value.shape, gone, keepdims), _linear)
        return delivered(trace, _in_dtype(result, present.dtype), out, name)

    traces(function, convention=_TIES)(follow)


def _in_dtype(result: Any, dtype: np.dtype[Any]) -> Any:
    return result if result.dtype == dtype else result.astype(dtype)


def _check_constant(trace: Trace, name: str, **options: Any) -> None:
    for key, option in options.items():
        if not all_plain(option):
            raise trace.refusal(f"{name} with {key}= that depends on x", "there is no rule for it", "keep it constant")


def _fill_weighted(mixture: _Mixture, choose: Callable[[Floats], Any]) -> None:
    """Choose by weights: NumPy does it among the ranks, for which all orders of the elements must stay."""
    lanes = mixture.lanes
    if np.isnan(lanes.numbers).any():
        raise lanes.trace.refusal("a weighted quantile of NaN", "there is no rule for it", "leave out the NaNs")
    order = lanes.stable_order()
    lanes.decide_order(order)
    places = _at(lanes, order)
    ranks = np.empty(lanes.value.size)
    ranks[places] = np.arange(lanes.length)
    chosen = choose(ranks.reshape(lanes.value.shape)).astype(np.int64).reshape(len(mixture.below), -1)
    mixture.below[...] = mixture.above[...] = np.take_along_axis(places.T, chosen, axis=0)


for _function, _scale, _skips in (
    (np.quantile, 1.0, False),
    (np.percentile, 100.0, False),
    (np.nanquantile, 1.0, True),
    (np.nanpercentile, 100.0, True),
):
    _quantile(_function, _scale, _skips)
