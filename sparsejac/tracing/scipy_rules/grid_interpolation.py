"""Interpolators of scipy.interpolate in several variables, evaluated at points that depend on x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived, stopped
from sparsejac.tracing.registry import follows, unfollowed
from sparsejac.tracing.scipy_rules.interpolation import builder, frozen, options_of, points_of
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]
_NAME = "scipy.interpolate"
_SPLINES = ("slinear", "cubic", "quintic")


def coordinates(trace: Trace, name: str, xi: Any, ndim: int) -> Any:
    """Points as one array whose last axis is that of the coordinates."""
    if isinstance(xi, tuple) and len(xi) == 1:
        xi = xi[0]
    if isinstance(xi, tuple):
        parts = [points_of(trace, name, part) for part in xi]
        shape = np.broadcast_shapes(*(part.shape for part in parts))
        return np.stack([np.broadcast_to(part, shape) for part in parts], axis=-1)
    points = points_of(trace, name, xi)
    return points.reshape(-1, ndim) if points.ndim == 1 else points


def _with_gradient(
    trace: Trace, name: str, run: Callable[[Array], tuple[Array, list[Array]]], points: Any, key: tuple[Any, ...]
) -> Any:
    """The interpolator at points; `run` gives the values and their slopes along each coordinate."""

    def everything(p: Array) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            y, slopes = run(p)
        return y, *(np.broadcast_to(slope, y.shape) for slope in slopes)

    y, *slopes = called(trace, name, everything, points, key=key)
    rest = (1,) * (y.ndim - points.ndim + 1)
    surrogate = sum(s * points[..., k].reshape(points.shape[:-1] + rest) for k, s in enumerate(slopes))
    return derived(trace, y, surrogate)


@follows(_NAME, "RegularGridInterpolator.__call__")
def _on_grid(trace: Trace, interpolator: Any, xi: Any, method: Any = None, *, nu: Any = None) -> Any:
    name = f"{_NAME}.RegularGridInterpolator"
    if nu is not None:
        raise trace.refusal(f"{name} with nu=", "there is no rule for its derivative", "leave nu out")
    interpolant, digest = frozen(trace, name, interpolator)
    chosen = interpolator.method if method is None else method
    points = coordinates(trace, name, xi, len(interpolator.grid))
    if chosen == "nearest":
        (value,) = called(trace, name, lambda p: interpolant(p, method=chosen), points, key=(digest, chosen))
        return stopped(trace, value)
    slopes = _grid_slopes(trace, name, interpolant, chosen)

    def run(p: Array) -> tuple[Array, list[Array]]:
        return interpolant(p, method=chosen), slopes(p)

    return _with_gradient(trace, name, run, points, (digest, chosen))


def _grid_slopes(trace: Trace, name: str, interpolant: Any, method: str) -> Callable[[Array], list[Array]]:
    count = len(interpolant.grid)
    if method == "linear":
        inner = load(_NAME).RegularGridInterpolator(
            interpolant.grid, interpolant.values, method="linear", bounds_error=False, fill_value=None
        )
        return lambda p: [_inside(interpolant, p, _slope_along(inner, p, k)) for k in range(count)]
    if method not in _SPLINES:
        raise trace.refusal(
            f"{name} with method={method!r}", "there is no rule for it", f"use 'linear' or one of {_SPLINES}"
        )
    units = np.eye(count, dtype=int)
    return lambda p: [_inside(interpolant, p, interpolant(p, method=method, nu=unit)) for unit in units]


def _slope_along(inner: Any, p: Array, k: int) -> Array:
    """The slope along one coordinate: constant between two neighbours on the grid."""
    axis = np.asarray(inner.grid[k])
    if len(axis) < 2:
        return np.zeros(())
    piece = np.clip(np.searchsorted(axis, p[..., k], side="right") - 1, 0, len(axis) - 2)
    low, high = p.copy(), p.copy()
    low[..., k], high[..., k] = axis[piece], axis[piece + 1]
    rise = inner(high) - inner(low)
    width = (axis[piece + 1] - axis[piece]).reshape(piece.shape + (1,) * (rise.ndim - piece.ndim))
    slope: Array = rise / width
    return slope


def _inside(interpolant: Any, p: Array, slope: Array) -> Array:
    """Zero where the interpolator fills in."""
    if interpolant.bounds_error or interpolant.fill_value is None:
        return slope
    outside = np.zeros(p.shape[:-1], dtype=bool)
    for k, axis in enumerate(interpolant.grid):
        outside |= (p[..., k] < axis[0]) | (p[..., k] > axis[-1])
    return np.where(outside.reshape(outside.shape + (1,) * (slope.ndim - outside.ndim)), 0.0, slope)


@follows(_NAME, "interpn")
def _interpn(
    trace: Trace, points: Any, values: Any, xi: Any, method: str = "linear", bounds_error: bool = True,
    fill_value: Any = np.nan,
) -> Any:  # fmt: skip
    name = f"{_NAME}.interpn"
    if not all_plain(points):
        raise trace.refusal(f"{name} on a grid that depends on x", "there is no rule for it", _GRID_CURE)
    if method == "splinef2d":
        raise trace.refusal(f"{name} with method='splinef2d'", "there is no rule", "use RectBivariateSpline(...).ev")
    grid = load(_NAME).RegularGridInterpolator(
        plain(points), values, method=method, bounds_error=bounds_error, fill_value=fill_value
    )
    return grid(xi)


@follows("scipy.interpolate._fitpack2", "_BivariateSplineBase.__call__")
def _bivariate(trace: Trace, spline: Any, x: Any, y: Any, dx: int = 0, dy: int = 0, grid: bool = True) -> Any:
    """RectBivariateSpline and its kin; beyond their ends they keep their last values."""
    name = f"{_NAME}.{type(spline).__name__}"
    chosen = options_of(trace, name, dx=dx, dy=dy, grid=grid)
    orders = int(chosen["dx"]), int(chosen["dy"])
    if any(order + 1 >= degree for order, degree in zip(orders, spline.degrees, strict=True)):
        raise trace.refusal(
            f"{name} of degrees {tuple(spline.degrees)}", "FITPACK has no derivative of that order", "raise kx and ky"
        )
    interpolant, digest = frozen(trace, name, spline)
    p, q = points_of(trace, name, x), points_of(trace, name, y)
    on_grid = bool(chosen["grid"])

    def run(p: Array, q: Array) -> tuple[Array, ...]:
        value = interpolant(p, q, *orders, grid=on_grid)
        by_p = interpolant(p, q, orders[0] + 1, orders[1], grid=on_grid)
        by_q = interpolant(p, q, orders[0], orders[1] + 1, grid=on_grid)
        ends = zip((p, q), interpolant.tck[:2], interpolant.degrees, strict=True)
        inside_p, inside_q = (_between(v, t, k) for v, t, k in ends)
        if on_grid:
            inside_p, inside_q = np.atleast_1d(inside_p)[:, None], np.atleast_1d(inside_q)[None, :]
        return value, np.where(inside_p, by_p, 0.0), np.where(inside_q, by_q, 0.0)

    value, by_p, by_q = called(trace, name, run, p, q, key=(digest, orders, on_grid))
    if on_grid:
        p, q = p.reshape(-1, 1), q.reshape(1, -1)
    return derived(trace, value, by_p * p + by_q * q)


def _between(v: Array, knots: Array, degree: int) -> Array:
    inside: Array = (v >= knots[degree]) & (v <= knots[-degree - 1])
    return inside


@follows(_NAME, "NdPPoly.__call__", "NdBSpline.__call__")
def _several_variables(trace: Trace, spline: Any, x: Any, nu: Any = None, extrapolate: Any = None) -> Any:
    name = f"{_NAME}.{type(spline).__name__}"
    chosen = options_of(trace, name, nu=nu, extrapolate=extrapolate)
    interpolant, digest = frozen(trace, name, spline)
    points = points_of(trace, name, x)
    count = int(points.shape[-1])
    order = np.zeros(count, dtype=int) if chosen["nu"] is None else np.asarray(chosen["nu"], dtype=int)
    rule = chosen["extrapolate"]

    def run(p: Array) -> tuple[Array, list[Array]]:
        units = np.eye(count, dtype=int)
        slopes = [np.asarray(interpolant(p, nu=order + unit, extrapolate=rule)) for unit in units]
        return np.asarray(interpolant(p, nu=order, extrapolate=rule)), slopes

    return _with_gradient(trace, name, run, points, (digest, tuple(order.tolist()), rule))


_GRID_CURE = "interpolate by hand: indices from np.searchsorted, weights, and fancy indexing"
_SCATTERED_CURE = "find the simplex of a point with scipy.spatial.Delaunay, and write the weights of its corners"

for _name in ("RectBivariateSpline", "SmoothBivariateSpline", "LSQBivariateSpline"):
    builder(f"{_name}.__init__", _GRID_CURE)
for _name in ("NdPPoly.__init__", "NdBSpline.__init__"):
    builder(_name, _GRID_CURE)


_KERNELS = "write the sum of the kernels: (phi(distances(x, centers)) * weights).sum(axis=-1)"
for _module, _path, _cure in (
    ("scipy.interpolate._interpnd", "NDInterpolatorBase.__call__", _SCATTERED_CURE),
    ("scipy.interpolate._ndgriddata", "NearestNDInterpolator.__call__", _SCATTERED_CURE),
    (_NAME, "griddata", _SCATTERED_CURE),
    (_NAME, "bisplev", "use RectBivariateSpline(...).ev"),
    ("scipy.interpolate._bary_rational", "_BarycentricRational.__call__", "write the quotient of the two sums"),
    *((_NAME, f"{_kind}.__{_step}__", _KERNELS) for _kind in ("RBFInterpolator", "Rbf") for _step in ("call", "init")),
):
    unfollowed(_module, _path, cure=_cure)
