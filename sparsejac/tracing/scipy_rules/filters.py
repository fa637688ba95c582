"""Filters of scipy.ndimage: values by the library, derivatives by the sparse matrix of the filter.

Each rule says how far an element's influence goes along each axis; a few probes then give the whole matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.conversion import as_array, delivered
from sparsejac.tracing.registry import follows, unfollowed
from sparsejac.tracing.scipy_rules.linear_maps import described, linear_call
from sparsejac.tracing.trace import Trace

Reach = Sequence[int | None]
_MODULE = "scipy.ndimage"


def _by_axis(value: Any, axes: Sequence[int]) -> list[Any]:
    """An option that may be given for each axis."""
    return list(value) if np.ndim(value) else [value] * len(axes)


def _axes(options: dict[str, Any], ndim: int) -> list[int]:
    axes = options.get("axes")
    return list(range(ndim)) if axes is None else [int(a) % ndim for a in np.atleast_1d(axes)]


def _spread(ndim: int, axes: Sequence[int], reaches: Sequence[int | None]) -> Reach:
    reach: list[int | None] = [0] * ndim
    for axis, r in zip(axes, reaches, strict=True):
        reach[axis] = r
    return reach


def _of_weights(options: dict[str, Any], ndim: int) -> Reach:
    weights = np.asarray(options["weights"])
    axes = _axes(options, ndim)
    return _spread(ndim, axes, [max(n - 1, 0) for n in weights.shape])


def _of_weights_along(options: dict[str, Any], ndim: int) -> Reach:
    return _spread(ndim, [int(options["axis"]) % ndim], [max(len(np.asarray(options["weights"])) - 1, 0)])


def _gaussian_radius(sigma: float, truncate: float, radius: Any) -> int:
    return int(truncate * float(sigma) + 0.5) if radius is None else int(radius)


def _of_gaussian(options: dict[str, Any], ndim: int) -> Reach:
    axes = _axes(options, ndim)
    sigmas, radii = _by_axis(options["sigma"], axes), _by_axis(options.get("radius"), axes)
    truncate = float(options.get("truncate", 4.0))
    return _spread(ndim, axes, [_gaussian_radius(s, truncate, r) for s, r in zip(sigmas, radii, strict=True)])


def _of_gaussian_along(options: dict[str, Any], ndim: int) -> Reach:
    radius = _gaussian_radius(options["sigma"], options["truncate"], options["radius"])
    return _spread(ndim, [int(options["axis"]) % ndim], [radius])


def _of_uniform(options: dict[str, Any], ndim: int) -> Reach:
    axes = _axes(options, ndim)
    return _spread(ndim, axes, [max(int(n), 1) for n in _by_axis(options["size"], axes)])


def _of_uniform_along(options: dict[str, Any], ndim: int) -> Reach:
    return _spread(ndim, [int(options["axis"]) % ndim], [max(int(options["size"]), 1)])


def _next(options: dict[str, Any], ndim: int) -> Reach:
    return [1] * ndim


def _anywhere(options: dict[str, Any], ndim: int) -> Reach:
    return [None] * ndim


_REACH: dict[str, Callable[[dict[str, Any], int], Reach]] = {
    "correlate": _of_weights,
    "convolve": _of_weights,
    "correlate1d": _of_weights_along,
    "convolve1d": _of_weights_along,
    "gaussian_filter": _of_gaussian,
    "gaussian_filter1d": _of_gaussian_along,
    "uniform_filter": _of_uniform,
    "uniform_filter1d": _of_uniform_along,
    "laplace": _next,
    "sobel": _next,
    "prewitt": _next,
    "gaussian_laplace": _of_gaussian,
    "shift": _anywhere,
    "zoom": _anywhere,
    "rotate": _anywhere,
    "spline_filter": _anywhere,
    "spline_filter1d": _anywhere,
    "affine_transform": _anywhere,
    "map_coordinates": _anywhere,
}
"""Linear filter -> how far an element's influence goes along each axis, from the options."""

_CUTS = frozenset(["wrap", "grid-wrap"])


def _filter(name: str, trace: Trace, *args: Any, **kwargs: Any) -> Any:
    function = getattr(load(_MODULE), name)
    bound = signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    options = dict(bound.arguments)
    options.update(options.pop("kwargs", {}))
    array, out = as_array(trace, options.pop("input")), options.pop("output", None)
    _check_options(trace, name, options)
    options = plain(options)
    reach = _REACH[name](options, array.ndim)
    if _wraps(options):
        reach = [None if r else r for r in reach]
    call = partial(_run, function, options)
    key = described(trace, f"{_MODULE}.{name}", options)
    result = linear_call(trace, f"{_MODULE}.{name}", call, array, reach, key)
    return delivered(trace, result, _output(trace, name, out), f"{_MODULE}.{name}")


def _run(function: Any, options: dict[str, Any], array: Any) -> Any:
    return function(array, **options)


def _check_options(trace: Trace, name: str, options: dict[str, Any]) -> None:
    for key, option in options.items():
        if not all_plain(option):
            raise trace.refusal(
                f"{_MODULE}.{name} with {key} that depends on x",
                "only the filtered array may depend on x",
                "write the sum of shifted slices times the weights",
            )


def _wraps(options: dict[str, Any]) -> bool:
    """Whether the array is continued periodically: an element's influence then reaches the other end."""
    modes = options.get("mode", "")
    return any(mode in _CUTS for mode in ([modes] if isinstance(modes, str) else modes))


def _output(trace: Trace, name: str, out: Any) -> Any:
    """An array to write to; a dtype is allowed where it is double precision anyway."""
    if out is None or isinstance(out, np.ndarray):
        return out
    if np.dtype(out) != np.float64:
        raise trace.refusal(f"{_MODULE}.{name} with output={out!r}", "it would round the values", "leave output out")
    return None


_NONLINEAR = {
    **dict.fromkeys(
        ["median_filter", "rank_filter", "percentile_filter"], "stack shifted slices, take np.sort along the new axis"
    ),
    **dict.fromkeys(
        ["maximum_filter", "minimum_filter", "maximum_filter1d", "minimum_filter1d", "grey_dilation", "grey_erosion"],
        "stack shifted slices and take np.max or np.min along the new axis",
    ),
    **dict.fromkeys(["gaussian_gradient_magnitude", "generic_gradient_magnitude"], "np.sqrt of the sum of squares"),
    **dict.fromkeys(["generic_filter", "generic_filter1d", "generic_laplace"], "write the function with slices"),
    **dict.fromkeys(["sum_labels", "sum", "mean", "variance", "standard_deviation"], "np.add.at, or masks and np.sum"),
    **dict.fromkeys(["distance_transform_edt", "label", "center_of_mass"], "masks and sums"),
}  # fmt: skip
"""What is no constant matrix -> what to write instead."""


for _name in _REACH:
    follows(_MODULE, _name)(partial(_filter, _name))
for _name, _cure in _NONLINEAR.items():
    unfollowed(_MODULE, _name, cure=_cure)
