"""np.emath: functions that give complex numbers where real ones leave their domain; whether any does is a decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import CONVENTIONS, FUNCTIONS, original, traces
from sparsejac.tracing.trace import Trace

_CONVENTION = "whether the result is complex is a decision"


def _widened(trace: Trace, x: Any, leaves: Callable[[Any], Any]) -> Any:
    """Numbers, made complex if a real one is outside the domain."""
    array = as_array(trace, x)
    outside = array.dtype.kind != "c" and bool(np.any(leaves(array)))
    return (array + 0j if outside else array)[()]


def _is_negative(x: Any) -> Any:
    return np.less(x, 0.0)


def _is_beyond_one(x: Any) -> Any:
    return np.greater(np.absolute(x), 1.0)


def _elementary(name: str, leaves: Callable[[Any], Any]) -> None:
    function, ufunc = original(getattr(np.emath, name)), getattr(np, name)

    def follow(trace: Trace, x: Any) -> Any:
        return ufunc(_widened(trace, x, leaves))

    FUNCTIONS[function] = follow
    CONVENTIONS[function] = _CONVENTION


for _name in ("sqrt", "log", "log2", "log10"):
    _elementary(_name, _is_negative)
for _name in ("arccos", "arcsin", "arctanh"):
    _elementary(_name, _is_beyond_one)


@traces(np.emath.logn, convention=_CONVENTION)
def _logn(trace: Trace, n: Any, x: Any) -> Any:
    return np.log(_widened(trace, x, _is_negative)) / np.log(_widened(trace, n, _is_negative))


@traces(np.emath.power, convention=_CONVENTION)
def _power(trace: Trace, x: Any, p: Any) -> Any:
    exponent = np.multiply(p, 1.0) if bool(np.any(_is_negative(as_array(trace, p)))) else p
    return np.power(_widened(trace, x, _is_negative), exponent)
