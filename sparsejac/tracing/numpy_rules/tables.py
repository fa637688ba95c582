"""Piecewise linear interpolation: np.interp."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import STEPS, called, derived
from sparsejac.tracing.conversion import as_array, as_value
from sparsejac.tracing.registry import DOUBLE, original, traces
from sparsejac.tracing.trace import Trace

DOUBLE.add(original(np.interp))

_CONVENTION = (
    "at a knot the slope to its right, at the last one that to its left, outside 0; no decision where the table is "
    "constant, otherwise the segment of each point is one"
)


@traces(np.interp, convention=_CONVENTION)
def _interp(trace: Trace, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    points, knots, heights = (as_array(trace, a) for a in (x, xp, fp))
    if knots.ndim != 1 or heights.ndim != 1:
        raise ValueError("Data points must be 1-D sequences")
    if len(knots) != len(heights):
        raise ValueError("fp and xp are not of the same length.")
    if not len(knots):
        raise ValueError("array of sample points is empty")
    if period is None and not bool(np.all(knots[1:] >= knots[:-1])):
        raise trace.refusal(
            "np.interp in a table whose xp does not ascend",
            "NumPy's answer hangs on how it searches",
            "sort it before: order = np.argsort(xp); np.interp(x, xp[order], fp[order])",
        )
    if period is not None:
        points, knots, heights = _periodic(points, knots, heights, period)
        left = right = None
    result = _inside(trace, points, knots, heights)
    result = np.where(points < knots[0], heights[0] if left is None else left, result)
    result = np.where(points > knots[-1], heights[-1] if right is None else right, result)
    return result if np.ndim(x) else result[()]


def _periodic(points: Any, knots: Any, heights: Any, period: Any) -> tuple[Any, Any, Any]:
    """The table over one period, with a knot more at either end."""
    if not all_plain(period) or period == 0:
        raise ValueError("period must be a non-zero value")
    period = abs(period)
    points, knots = np.mod(points, period), np.mod(knots, period)
    order = np.argsort(knots)
    knots, heights = knots[order], heights[order]
    knots = np.concatenate([knots[-1:] - period, knots, knots[:1] + period])
    return points, knots, np.concatenate([heights[-1:], heights, heights[:1]])


def _inside(trace: Trace, points: Any, knots: Any, heights: Any) -> Any:
    """The interpolant at points between the first and the last knot; anything elsewhere."""
    if all_plain((knots, heights)):
        return _by_table(trace, points, plain(knots), plain(heights))
    if len(knots) == 1:
        return np.broadcast_to(heights[0], points.shape)
    segment = _segments(trace, points, knots)
    low, high = heights[segment], heights[segment + 1]
    slope = (high - low) / (knots[segment + 1] - knots[segment])
    return np.where(np.equal(points, knots[segment]), low, slope * (points - knots[segment]) + low)


def _segments(trace: Trace, points: Any, knots: Any) -> npt.NDArray[np.int64]:
    """For each point the segment in which it lies: a decision."""
    passed = np.sum(np.greater_equal(points[..., None], knots), axis=-1)
    if not all_plain(passed):
        passed = trace.decide(as_value(trace, passed).real)
    return np.clip(np.asarray(plain(passed)).astype(np.int64) - 1, 0, len(knots) - 2)


def _by_table(trace: Trace, points: Any, knots: npt.NDArray[Any], heights: npt.NDArray[Any]) -> Any:
    """A constant table: NumPy's own values, and the slope of the segment, which does not depend on x, as derivative."""
    if len(knots) == 1:
        return np.broadcast_to(heights[0], points.shape)
    if not (np.diff(knots) >= 0.0).all():
        raise trace.refusal(
            "np.interp with a table that is not sorted", "NumPy's result means nothing then", "sort xp, and fp with it"
        )
    value, slope = called(trace, "np.interp", _value_and_slope, points, knots, heights, rule=STEPS)
    return derived(trace, value, slope * points)


def _value_and_slope(
    points: npt.NDArray[Any], knots: npt.NDArray[Any], heights: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    segment = np.clip(np.searchsorted(knots, points, side="right") - 1, 0, len(knots) - 2)
    slope = (heights[segment + 1] - heights[segment]) / (knots[segment + 1] - knots[segment])
    return np.asarray(np.interp(points, knots, heights)), np.asarray(slope)
