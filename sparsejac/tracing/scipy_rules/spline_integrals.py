"""Definite integrals of splines, by their ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.registry import follows
from sparsejac.tracing.scipy_rules.interpolation import frozen, points_of
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]
_NAME = "scipy.interpolate"


def _integral(trace: Trace, spline: Any, a: Any, b: Any, name: str, **options: Any) -> Any:
    """A definite integral, differentiated by its ends."""
    full = f"{_NAME}.{type(spline).__name__}.{name}"
    if name == "integrate" and options["extrapolate"] is None and spline.extrapolate == "periodic":
        raise trace.refusal(full, "there is no rule for periodic splines", "use spline.antiderivative()")
    interpolant, digest = frozen(trace, full, spline)
    ends = [points_of(trace, full, end) for end in (a, b)]
    if any(end.size != 1 for end in ends):
        raise trace.refusal(full, "its ends are no numbers", "use spline.antiderivative() for arrays")
    ends = [end.reshape(()) for end in ends]

    def run(a: Array, b: Array) -> tuple[Any, ...]:
        lower, upper = float(a), float(b)
        value = np.asarray(getattr(interpolant, name)(lower, upper, **options))
        return value, np.asarray(interpolant(lower)), np.asarray(interpolant(upper))

    value, left, right = called(trace, full, run, *ends, key=(digest, tuple(options.items())))
    return derived(trace, value, right * ends[1] - left * ends[0])


@follows("scipy.interpolate._interpolate", "PPoly.integrate", "BPoly.integrate")
@follows(_NAME, "BSpline.integrate")
def _integrate(trace: Trace, spline: Any, a: Any, b: Any, extrapolate: Any = None) -> Any:
    if extrapolate is not None:
        raise trace.refusal(
            "integrate with extrapolate=", "there is no rule for it", "say it when the spline is made, or leave it out"
        )
    return _integral(trace, spline, a, b, "integrate", extrapolate=extrapolate)


@follows(_NAME, "UnivariateSpline.integral")
def _univariate_integral(trace: Trace, spline: Any, a: Any, b: Any) -> Any:
    """Beyond its ends the spline counts as zero."""
    full = f"{_NAME}.UnivariateSpline.integral"
    t, c, k = spline._eval_args
    ends = [points_of(trace, full, end).reshape(()) for end in (a, b)]

    def run(a: Array, b: Array, t: Array, c: Array) -> tuple[Any, ...]:
        library = load(_NAME)
        value = library.splint(float(a), float(b), (t, c, int(k)))
        return np.asarray(value), *(np.asarray(library.splev(end, (t, c, int(k)), 0, 1)) for end in (a, b))

    value, left, right = called(trace, full, run, *ends, np.asarray(t), np.asarray(c), key=(int(k),))
    return derived(trace, value, right * ends[1] - left * ends[0])
