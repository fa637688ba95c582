"""scipy.integrate: integrals of sampled functions, and Gaussian quadrature at a fixed number of nodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import MAKERS, follows
from sparsejac.tracing.scipy_rules.linear_maps import described, linear_call
from sparsejac.tracing.trace import Trace, current_trace

_MODULE = "scipy.integrate"


def _last(array: Any, axis: int) -> Any:
    """The array with that axis at the end."""
    return np.moveaxis(array, axis, -1)


def _panels(trace: Trace, y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The areas between neighbouring samples, along the last axis."""
    samples = _last(as_array(trace, y), axis)
    if x is None:
        widths: Any = dx
    else:
        places = as_array(trace, x)
        places = places if places.ndim == 1 else _last(places, axis)
        widths = places[..., 1:] - places[..., :-1]
    return widths * (samples[..., 1:] + samples[..., :-1]) / 2.0


@follows(_MODULE, "trapezoid")
def _trapezoid(trace: Trace, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    return np.sum(_panels(trace, y, x, dx, axis), axis=-1)


@follows(_MODULE, "cumulative_trapezoid")
def _cumulative_trapezoid(
    trace: Trace, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    total = np.cumsum(_panels(trace, y, x, dx, axis), axis=-1)
    if initial is not None:
        if initial != 0:
            raise ValueError("`initial` must be `None` or `0`.")
        total = np.concatenate([np.zeros((*total.shape[:-1], 1)), total], axis=-1)
    return np.moveaxis(total, -1, axis)


def _weighted(name: str, trace: Trace, y: Any, **options: Any) -> Any:
    """A rule that is a constant matrix times the samples."""
    if not all_plain(options):
        raise trace.refusal(
            f"{_MODULE}.{name} at places that depend on x", "there is a rule for constant places", "use trapezoid"
        )
    options = plain(options)
    samples = as_array(trace, y)
    axis = int(options["axis"]) % samples.ndim
    reach = [None if k == axis else 0 for k in range(samples.ndim)]
    if name != "cumulative_simpson" and samples.ndim > 1:
        return _by_rows(name, trace, _last(samples, axis), {**options, "axis": -1})
    key = described(trace, f"{_MODULE}.{name}", options)
    return linear_call(trace, f"{_MODULE}.{name}", partial(_run, name, options), samples, reach, key)


def _run(name: str, options: dict[str, Any], samples: Any) -> Any:
    return getattr(load(_MODULE), name)(samples, **options)


def _by_rows(name: str, trace: Trace, samples: Any, options: dict[str, Any]) -> Any:
    """One integral for each row."""
    rows = samples.reshape(-1, samples.shape[-1])
    places = options.get("x")
    if places is not None and np.ndim(places) > 1:
        raise trace.refusal(f"{_MODULE}.{name} with places for each row", "there is no rule for it", "loop over rows")
    found = [_weighted(name, trace, row, **options) for row in rows]
    return np.stack(found).reshape(samples.shape[:-1]) if found else np.zeros(samples.shape[:-1])


@follows(_MODULE, "simpson")
def _simpson(trace: Trace, y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    return _weighted("simpson", trace, y, x=x, dx=dx, axis=axis)


@follows(_MODULE, "romb")
def _romb(trace: Trace, y: Any, dx: Any = 1.0, axis: int = -1, show: bool = False) -> Any:
    return _weighted("romb", trace, y, dx=dx, axis=axis)


@follows(_MODULE, "cumulative_simpson")
def _cumulative_simpson(
    trace: Trace, y: Any, *, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    return _weighted("cumulative_simpson", trace, y, x=x, dx=dx, axis=axis, initial=initial)


def _gaussian(original: Callable[..., Any]) -> Callable[..., Any]:
    """fixed_quad: what depends on x may be known to the integrand alone, which may give a list."""

    @wraps(original)
    def route(func: Callable[..., Any], a: Any, b: Any, args: Any = (), n: int = 5) -> Any:
        trace = current_trace()
        if trace is None:
            return original(func, a, b, args, n)

        def integrand(*given: Any) -> Any:
            found = func(*given)
            return as_array(trace, found) if isinstance(found, list | tuple) and not all_plain(found) else found

        if all_plain((a, b, args)):
            return original(integrand, a, b, args, n)
        return _fixed_quad(integrand, a, b, args, n)

    return route


MAKERS[_MODULE, "fixed_quad"] = _gaussian


def _fixed_quad(func: Callable[..., Any], a: Any, b: Any, args: Any, n: int) -> Any:
    nodes, weights = load("scipy.special").roots_legendre(n)
    if np.isinf(a) or np.isinf(b):
        raise ValueError("Gaussian quadrature is only available for finite limits.")
    return (b - a) / 2.0 * np.sum(weights * func((b - a) * (nodes + 1.0) / 2.0 + a, *args), axis=-1), None
