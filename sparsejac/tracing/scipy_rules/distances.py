"""scipy.spatial.distance: distances between points that depend on x.

Where two points coincide a distance has no derivative; it is taken as zero, as for np.hypot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import follows
from sparsejac.tracing.scipy_rules.linear_maps import LIMIT
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]
_MODULE = "scipy.spatial.distance"


def _quotient(a: Array, b: Array) -> Array:
    """The quotient a / b, and zero where b is zero."""
    found: Array = np.where(b == 0.0, 0.0, a / np.where(b == 0.0, 1.0, b))
    return found


def _chebyshev(gap: Array, y: Array) -> Array:
    """The largest coordinate has it all; equal ones share it."""
    largest = np.abs(gap) == y[..., None]
    shares: Array = np.sign(gap) * largest / largest.sum(axis=-1, keepdims=True)
    return shares


def _minkowski(gap: Array, y: Array, p: float) -> Array:
    slopes: Array = np.sign(gap) * _quotient(np.abs(gap), y[..., None]) ** (p - 1.0)
    return slopes


_SLOPES: dict[str, Callable[..., Array]] = {
    "euclidean": lambda gap, y: _quotient(gap, y[..., None]),
    "sqeuclidean": lambda gap, y: 2.0 * gap,
    "cityblock": lambda gap, y: np.sign(gap),
    "chebyshev": _chebyshev,
    "minkowski": _minkowski,
}
"""Metric -> derivative by the differences of the coordinates."""

_ALIASES = {"cityblock": "cityblock", "manhattan": "cityblock", "l1": "cityblock", "l2": "euclidean"}


def _distances(
    trace: Trace, function: str, gaps: Callable[..., Any], operands: tuple[Any, ...], metric: Any,
    options: dict[str, Any],
) -> Any:  # fmt: skip
    """What cdist or pdist gives; `gaps` takes the same arrays and gives the differences of their points."""
    name = f"{_MODULE}.{function}"
    chosen = _ALIASES.get(metric, metric) if isinstance(metric, str) else str(metric)
    if chosen == "minkowski":
        options = {"p": 2.0, **options}
    if chosen not in _SLOPES or set(options) - ({"p"} if chosen == "minkowski" else set()) or not all_plain(options):
        raise trace.refusal(
            f"{name} with metric={metric!r} and {sorted(options)}",
            f"there are rules for {', '.join(_SLOPES)} without further options",
            "write it with X[:, None, :] - Y[None, :, :], squares, sums and roots",
        )
    arrays = tuple(as_array(trace, operand) * 1.0 for operand in operands)
    options = {key: float(option) for key, option in plain(options).items()}
    if gaps(*arrays).size > LIMIT:
        raise trace.refusal(f"{name} of so many points", f"more than {LIMIT} differences", "take fewer at a time")

    def run(*points: Array) -> tuple[Array, Array]:
        with np.errstate(all="ignore"):
            y = np.asarray(getattr(load(_MODULE), function)(*points, chosen, **options))
            return y, _SLOPES[chosen](gaps(*points), y, *options.values())

    return _held_distances(trace, name, run, gaps, (chosen, *options.items()), arrays)[0]


def _held_distances(
    trace: Trace, name: str, run: Callable[..., Any], gaps: Callable[..., Any], key: tuple[Any, ...], points: Any
) -> tuple[Any, Any]:
    """Distances with their derivatives, and their slopes with theirs, which are those of the metric's own rule."""

    def again(trace: Trace, *points: Any) -> tuple[Any, Any]:
        y, slopes = _held_distances(trace, name, run, gaps, key, points)
        chosen, *options = key
        return y, derived(trace, slopes, _SLOPES[chosen](gaps(*points), y, *(option for _, option in options)))

    y, slopes = called(trace, name, run, *points, key=key, again=again)
    return derived(trace, y, np.sum(slopes * gaps(*points), axis=-1)), slopes


@follows(_MODULE, "cdist")
def _cdist(trace: Trace, XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    _without_out(trace, "cdist", out)
    return _distances(trace, "cdist", lambda a, b: a[:, None, :] - b[None, :, :], (XA, XB), metric, options)


@follows(_MODULE, "pdist")
def _pdist(trace: Trace, X: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    _without_out(trace, "pdist", out)

    def gaps(points: Any) -> Any:
        first, second = np.triu_indices(points.shape[0], 1)
        return points[first] - points[second]

    return _distances(trace, "pdist", gaps, (X,), metric, options)


def _without_out(trace: Trace, name: str, out: Any) -> None:
    if out is not None:
        raise trace.refusal(f"{_MODULE}.{name} with out=", "there is no rule for it", "assign the result")


def _between_two(metric: str) -> None:
    """The distance of two points."""

    @follows(_MODULE, metric)
    def follow(trace: Trace, u: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            raise trace.refusal(f"{_MODULE}.{metric} with options", "there is no rule for them", "write it out")
        a, b = (as_array(trace, point).reshape(1, -1) for point in (u, v))
        return _cdist(trace, a, b, metric)[0, 0]


for _name in ("euclidean", "sqeuclidean", "cityblock", "chebyshev"):
    _between_two(_name)


@follows(_MODULE, "squareform")
def _squareform(trace: Trace, X: Any, force: str = "no", checks: bool = True) -> Any:
    """Between the condensed and the square form: elements are moved."""
    array = as_array(trace, X)
    if force != "no" or array.ndim not in (1, 2):
        raise trace.refusal(f"{_MODULE}.squareform", "it is called with force= or of other shapes", "leave force out")
    if array.ndim == 2:
        return array[np.triu_indices(array.shape[0], 1)]
    places = load(_MODULE).squareform(np.arange(1, array.size + 1))
    return np.concatenate([np.zeros(1), array])[places]
