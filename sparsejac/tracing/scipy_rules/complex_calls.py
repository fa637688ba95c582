"""Complex forms of ufuncs that have no pair of real expressions worth writing: values by NumPy, slopes by formulas.

Where a function has a branch cut, its slope is written with its value: it then belongs to the side that NumPy takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.pointwise_calls import pointwise
from sparsejac.tracing.reals import Value
from sparsejac.tracing.registry import hook, traces
from sparsejac.tracing.scipy_rules.special_partials import special
from sparsejac.tracing.trace import Trace

_SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "arcsin": lambda y, z: 1.0 / np.cos(y),
    "arccos": lambda y, z: -1.0 / np.sin(y),
    "arctan": lambda y, z: 1.0 / (1.0 + z * z),
    "arcsinh": lambda y, z: 1.0 / np.cosh(y),
    "arccosh": lambda y, z: 1.0 / np.sinh(y),
    "arctanh": lambda y, z: 1.0 / (1.0 - z * z),
    "log2": lambda y, z: 1.0 / (np.log(2.0) * z),
    "log10": lambda y, z: 1.0 / (np.log(10.0) * z),
    "log1p": lambda y, z: 1.0 / (1.0 + z),
    "expm1": lambda y, z: np.exp(z),
    "exp2": lambda y, z: np.log(2.0) * y,
}
"""Ufunc -> its derivative, from the value and the argument."""


@hook("complex_ufunc")
def follow_complex(trace: Trace, name: str, *values: Value) -> Value:
    """A ufunc of complex numbers whose rule is for real ones."""
    slope = _SLOPES.get(name)
    if slope is None:
        raise trace.refusal(
            f"np.{name} of complex values that depend on x",
            "there is no rule for it",
            "write it in terms of real and imaginary parts",
        )
    return as_value(trace, pointwise(trace, f"np.{name}", getattr(np, name), [slope], [wrap(trace, values[0])]))


@traces(np.i0)
def _i0(trace: Trace, x: Any) -> Any:
    return pointwise(trace, "np.i0", np.i0, [lambda y, x: special.i1(x)], (x,))
