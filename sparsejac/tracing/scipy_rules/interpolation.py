"""Interpolators of scipy.interpolate in one variable, evaluated at points that depend on x.

Values are the interpolator's own; its derivative there is the interpolator's derivative. At a knot it is the one from
the right, as the pieces are half-open.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived, stopped
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import follows, unfollowed
from sparsejac.tracing.trace import Trace, untraced

Array = npt.NDArray[Any]
_NAME = "scipy.interpolate"


def points_of(trace: Trace, name: str, x: Any) -> Any:
    """The points as an array of real numbers."""
    array = as_array(trace, x)
    if array.kind == "c":
        raise trace.refusal(f"{name} at complex points", "there is no rule for it", "use real points")
    return array * 1.0 if array.kind in "bi" else array


def frozen(trace: Trace, name: str, interpolator: Any) -> tuple[Any, str]:
    """A copy of an interpolator that nobody changes, and a digest of what it holds."""
    try:
        content = pickle.dumps(interpolator)
    except Exception as error:
        raise trace.refusal(
            f"{name}, an interpolator that cannot be copied", str(error), "give the data to scipy.interpolate itself"
        ) from None
    with untraced():
        return pickle.loads(content), hashlib.blake2b(content, digest_size=16).hexdigest()


def options_of(trace: Trace, name: str, **options: Any) -> dict[str, Any]:
    """Options as they are; those that depend on x are refused."""
    for key, option in options.items():
        if not all_plain(option):
            raise trace.refusal(
                f"{name} with {key} that depends on x", "there is no rule for it", f"keep {key} constant"
            )
    return {key: plain(option) for key, option in options.items()}


def at_points(
    trace: Trace, name: str, run: Callable[..., tuple[Any, Any]], x: Any, axis: int, key: tuple[Any, ...],
    *arrays: Any, steps: bool = False, slope_at: Callable[..., Any] | None = None,
) -> Any:  # fmt: skip
    """The interpolator at points.

    Parameters
    ----------
    trace : Trace
    name : str
    run : callable
        Takes the points and the arrays, gives the values and their derivatives by the points.
    x : array_like
        The points.
    axis : int
        Where the axes of the points stand in the result.
    key : tuple
        Whatever `run` depends on besides its arguments.
    *arrays : ndarray
        Data of the interpolator.
    steps : bool
        Whether the interpolator consists of constant pieces, so that nothing of its derivative is an entry.
    slope_at : callable, optional
        The derivative, where it can be differentiated in turn: gets the trace, points and arrays, all of them traced.
        Like `run` it depends on nothing but these and `key`.
    """
    points = points_of(trace, name, x)

    def both(p: Array, *data: Array) -> tuple[Array, Array]:
        with np.errstate(all="ignore"):
            y, slope = (np.asarray(part) for part in run(p, *data))
        return y, np.broadcast_to(slope, y.shape)

    def held(trace: Trace, points: Any, *data: Any) -> tuple[Any, Any]:
        again = moving if slope_at is not None else None
        y, slope = called(trace, name, both, points, *data, key=(axis, *key), again=again, examples=True)
        return y, slope

    def moving(trace: Trace, points: Any, *data: Any) -> tuple[Any, Any]:
        y, slope = held(trace, points, *data)
        assert slope_at is not None
        return _moved(trace, y, slope, points, axis), np.broadcast_to(slope_at(trace, points, *data), slope.shape)

    y, slope = held(trace, points, *arrays)
    return stopped(trace, y) if steps else _moved(trace, y, slope, points, axis)


def _moved(trace: Trace, y: Any, slope: Any, points: Any, axis: int) -> Any:
    """Values at points with their derivative."""
    place = points.reshape((1,) * axis + points.shape + (1,) * (y.ndim - axis - points.ndim)) if points.ndim else points
    return derived(trace, y, slope * place)


@follows("scipy.interpolate._interpolate", "_PPolyBase.__call__", "PPoly.__call__", "BPoly.__call__")
def _piecewise(trace: Trace, spline: Any, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
    """PPoly, BPoly and the splines that are such: cubic, Hermite, PCHIP, Akima."""
    chosen = options_of(trace, _NAME, nu=nu, extrapolate=extrapolate)
    library = load(_NAME)
    kind = library.BPoly if isinstance(spline, library.BPoly) else library.PPoly
    rule = spline.extrapolate if chosen["extrapolate"] is None else chosen["extrapolate"]
    name, axis = f"{_NAME}.{type(spline).__name__}", int(spline.axis)
    return _pieces(trace, name, kind, (rule, axis), int(chosen["nu"]), x, spline.c, spline.x)


def _pieces(trace: Trace, name: str, kind: Any, how: tuple[Any, int], order: int, x: Any, *data: Any) -> Any:
    """A derivative of a piecewise polynomial; `how`: whether it is extended, and the axis of its points."""
    rule, axis = how

    def run(p: Array, c: Array, knots: Array) -> tuple[Any, Any]:
        pieces = kind(c, knots, rule)  # construct_fast of SciPy 1.18 makes a PPoly of BPoly's numbers
        pieces.axis = axis  # the coefficients lie as one that is made with an axis holds them
        y = pieces(p, order)
        return y, pieces(p, order + 1) if order < len(c) else 0.0 * y  # SciPy has no higher ones of BPoly

    def slope_at(trace: Trace, p: Any, *data: Any) -> Any:
        return _pieces(trace, name, kind, how, order + 1, p, *data)

    key = (kind.__name__, order, how[0])
    return at_points(trace, name, run, x, how[1], key, *data, slope_at=slope_at)


@follows(_NAME, "BSpline.__call__")
def _bspline(trace: Trace, spline: Any, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
    chosen = options_of(trace, _NAME, nu=nu, extrapolate=extrapolate)
    rule = spline.extrapolate if chosen["extrapolate"] is None else chosen["extrapolate"]
    how = (int(spline.k), rule, int(spline.axis))
    return _of_basis(trace, how, int(chosen["nu"]), x, spline.t, spline.c)


def _of_basis(trace: Trace, how: tuple[int, Any, int], order: int, x: Any, *data: Any) -> Any:
    """A derivative of a B-spline; `how`: its degree, whether it is extended, and the axis of its points."""
    kind, degree = load(_NAME).BSpline, how[0]

    def run(p: Array, t: Array, c: Array) -> tuple[Any, Any]:
        pieces = kind.construct_fast(np.ascontiguousarray(t), np.ascontiguousarray(c), *how)
        y = pieces(p, order)
        return y, pieces(p, order + 1) if order < degree else np.where(np.isnan(y), np.nan, 0.0)

    def slope_at(trace: Trace, p: Any, *data: Any) -> Any:
        return _of_basis(trace, how, order + 1, p, *data) if order < degree else np.zeros(())

    key, steps = (order, degree, how[1]), order >= degree
    return at_points(trace, f"{_NAME}.BSpline", run, x, how[2], key, *data, steps=steps, slope_at=slope_at)


@follows(_NAME, "UnivariateSpline.__call__")
def _univariate(trace: Trace, spline: Any, x: Any, nu: int = 0, ext: Any = None) -> Any:
    chosen = options_of(trace, _NAME, nu=nu, ext=ext)
    mode = spline.ext if chosen["ext"] is None else chosen["ext"]
    t, c, k = spline._eval_args
    return _fitpack(
        trace, f"{_NAME}.UnivariateSpline", x, np.asarray(t), np.asarray(c), int(k), int(chosen["nu"]), mode
    )


@follows(_NAME, "splev")
def _splev(trace: Trace, x: Any, tck: Any, der: int = 0, ext: int = 0) -> Any:
    if isinstance(tck, load(_NAME).BSpline):
        return tck(x, der, extrapolate=True)
    if not all_plain(tck[1]) and all_plain(ext) and ext == 0:  # beyond its ends as a B-spline is extended
        parts = as_array(trace, tck[1])
        if not 0 <= der <= tck[2]:
            raise ValueError(f"0<=der={der}<=k={tck[2]} must hold")
        curves = [load(_NAME).BSpline(tck[0], c, tck[2])(x, der) for c in parts.reshape(-1, parts.shape[-1])]
        return curves if parts.ndim > 1 else curves[0]
    chosen = options_of(trace, f"{_NAME}.splev", tck=tck, der=der, ext=ext)
    t, c, k = chosen["tck"]
    if isinstance(c, list) or np.ndim(c) > 1:
        return [_splev(trace, x, (t, part, k), der, ext) for part in c]
    return _fitpack(trace, f"{_NAME}.splev", x, np.asarray(t), np.asarray(c), int(k), int(chosen["der"]), chosen["ext"])


_MODES = {"extrapolate": 0, "zeros": 1, "raise": 2, "const": 3}


def _fitpack(trace: Trace, name: str, x: Any, t: Any, c: Any, degree: int, order: int, ext: Any) -> Any:
    """A spline of FITPACK; beyond its ends it may be extended by zeros or by its last values."""
    mode = _MODES.get(ext, ext)

    def run(p: Array, t: Array, c: Array) -> tuple[Any, Any]:
        splev = load(_NAME).splev
        if not p.size:
            return np.empty(0 if name.endswith("UnivariateSpline") else p.shape), np.zeros(())
        y = splev(p, (t, c, degree), order, mode)
        if order >= degree:
            return y, np.zeros(())
        # The last values are kept for the spline alone: FITPACK extrapolates its derivatives.
        outside = ((p < t[degree]) | (p > t[-degree - 1])) & (mode == 3) & (order == 0)
        return y, np.where(outside, 0.0, splev(p, (t, c, degree), order + 1, mode))

    def slope_at(trace: Trace, p: Any, t: Any, c: Any) -> Any:
        if order >= degree:
            return np.zeros(())
        outside = ((p < t[degree]) | (p > t[-degree - 1])) & (mode == 3) & (order == 0)
        return np.where(outside, 0.0, _fitpack(trace, name, p, t, c, degree, order + 1, ext))

    key, steps = (degree, order, mode), order >= degree
    return at_points(trace, name, run, x, 0, key, t, c, steps=steps, slope_at=slope_at)


@follows("scipy.interpolate._polyint", "_Interpolator1D.__call__", "BarycentricInterpolator.__call__")
def _one_dimensional(trace: Trace, interpolator: Any, x: Any) -> Any:
    """interp1d, BarycentricInterpolator, KroghInterpolator."""
    name = f"{_NAME}.{type(interpolator).__name__}"
    interpolant, digest = frozen(trace, name, interpolator)
    kind = str(getattr(interpolant, "_kind", ""))
    if hasattr(interpolant, "derivative"):
        slope: Any = interpolant.derivative
    elif isinstance(interpolant, load(_NAME).interp1d):
        slope = slope_of(interpolant)
    else:
        raise trace.refusal(name, "there is no rule for it", "use PPoly, CubicSpline or BSpline")

    def run(p: Array) -> tuple[Any, Any]:
        return interpolant(p), slope(p)

    axis, steps = int(interpolant._y_axis), _SLOPES.get(kind) is _no_slope
    # Straight pieces, and those of their second derivatives, are the only ones without a rule of higher order.
    slope_at = None
    if kind == "linear":
        slope_at = lambda trace, p: at_points(  # noqa: E731
            trace, f"{name}, its slope", lambda q: (slope(q), np.zeros(())), p, axis, (digest,), steps=True
        )
    return at_points(trace, name, run, x, axis, (digest,), steps=steps, slope_at=slope_at)


@follows("scipy.interpolate._polyint", "_Interpolator1DWithDerivatives.derivative")
def _derivative(trace: Trace, interpolator: Any, x: Any, der: int = 1) -> Any:
    name = f"{_NAME}.{type(interpolator).__name__}.derivative"
    interpolant, digest = frozen(trace, name, interpolator)
    order = int(options_of(trace, name, der=der)["der"])

    def run(p: Array) -> tuple[Any, Any]:
        return interpolant.derivative(p, order), interpolant.derivative(p, order + 1)

    return at_points(trace, name, run, x, int(interpolant._y_axis), (digest, order))


def slope_of(interpolant: Any) -> Callable[[Array], Array]:
    """The derivative of an interp1d as a function of the points."""
    return _SLOPES.get(str(interpolant._kind), _spline_slope)(interpolant)


def _linear_slope(interpolant: Any) -> Callable[[Array], Array]:
    """Slopes of straight pieces."""
    y = np.moveaxis(interpolant.y, interpolant.axis, 0)
    steps = np.diff(interpolant.x).reshape(-1, *[1] * (y.ndim - 1))
    slopes = np.diff(y, axis=0) / steps

    def slope(p: Array) -> Array:
        piece = np.clip(np.searchsorted(interpolant.x, p, side="right") - 1, 0, len(slopes) - 1)
        return _placed(interpolant, p, slopes[piece])

    return slope


def _no_slope(interpolant: Any) -> Callable[[Array], Array]:
    return lambda p: np.zeros(())


def _spline_slope(interpolant: Any) -> Callable[[Array], Array]:
    """Slopes of a spline, whose values have the points first."""

    def slope(p: Array) -> Array:
        found = interpolant._spline(p.reshape(-1), 1)
        return _placed(interpolant, p, found.reshape(p.shape + interpolant._y_extra_shape))

    return slope


def _placed(interpolant: Any, p: Array, slopes: Array) -> Array:
    """Slopes with the axes of the points where the interpolator has them, and zeros where it fills in."""
    if not interpolant._extrapolate:
        outside = (p < interpolant.x[0]) | (p > interpolant.x[-1])
        slopes = np.where(outside.reshape(p.shape + (1,) * (slopes.ndim - p.ndim)), 0.0, slopes)
    axes = range(p.ndim)
    return np.moveaxis(slopes, axes, [interpolant._y_axis + k for k in axes]) if p.ndim else slopes


_SLOPES: dict[str, Callable[[Any], Callable[[Array], Array]]] = {
    "linear": _linear_slope,
    **dict.fromkeys(["nearest", "nearest-up", "previous", "next", "zero"], _no_slope),
}


_MATRIX_CURE = (
    "for constant points, multiply by a constant matrix: "
    "scipy.interpolate.BarycentricInterpolator(t, np.eye(len(t)))(points) @ y"
)
_SAME_SPLINE = "without smoothing (s=0) the same curve is scipy.interpolate.make_interp_spline(t, y, k=3)(points)"
_BUILDERS = {
    **dict.fromkeys(["splrep", "UnivariateSpline.__init__", "InterpolatedUnivariateSpline.__init__"], _SAME_SPLINE),
    "LSQUnivariateSpline.__init__": "the same curve is scipy.interpolate.make_lsq_spline(t, y, knots, 3)(points), with "
    "both ends of t four times among the knots",
    **dict.fromkeys(
        [
            *("BarycentricInterpolator.__init__", "KroghInterpolator.__init__"),
            *("barycentric_interpolate", "krogh_interpolate"),
        ],
        _MATRIX_CURE,
    ),
    **dict.fromkeys(
        ["make_smoothing_spline", "splprep"],
        "write the interpolation with slices and np.where",
    ),
}
"""What makes an interpolator of values that must not depend on x -> what to write instead."""


def builder(name: str, cure: str) -> None:
    """Refuse an interpolator that is made of values that depend on x."""
    unfollowed(_NAME, name, why="it is made of values that depend on x; there are rules for constant data", cure=cure)


for _name, _cure in _BUILDERS.items():
    builder(_name, _cure)
