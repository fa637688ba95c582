"""Reductions that leave out NaNs. Which elements are NaN is no decision: those that are have the derivative zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.base import given
from sparsejac.tracing.casting import computed_in
from sparsejac.tracing.conversion import as_value, delivered, wrap
from sparsejac.tracing.numpy_rules.norms import root_of_sum, squared
from sparsejac.tracing.numpy_rules.orders import Axes
from sparsejac.tracing.numpy_rules.reductions import folding, without_dtype
from sparsejac.tracing.numpy_rules.statistics import degrees_of_freedom
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

_LEFT_OUT = "0 for a NaN that is left out"


def _replacing(function: Any, base: Any, number: float) -> None:
    """Follow a function that takes NaNs for a number that changes nothing."""

    def follow(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
        value = as_value(trace, a)
        array = wrap(trace, value, scalar=False)
        return base(array if value.kind in "bi" else np.where(np.isnan(array), number, array), *args, **kwargs)

    traces(function, convention=_LEFT_OUT)(follow)


_replacing(np.nansum, np.sum, 0.0)
_replacing(np.nanprod, np.prod, 1.0)

_TIES = "as np.fmax and np.fmin"

traces(np.nanmax, convention=_TIES)(without_dtype(folding("fmax", "nanmax")))
traces(np.nanmin, convention=_TIES)(without_dtype(folding("fmin", "nanmin")))


@traces(np.nanmean, convention=_LEFT_OUT)
def _nanmean(
    trace: Trace, a: Any, axis: Axes = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *,
    where: Any = True,
) -> Any:  # fmt: skip
    array = wrap(trace, computed_in(trace, as_value(trace, a), dtype), scalar=False)
    options = {"axis": axis, "keepdims": given(keepdims) and bool(keepdims), "where": where}
    mean = np.nansum(array, **options) / np.sum(~np.isnan(array), **options)
    return delivered(trace, mean, out, "np.nanmean")


@traces(np.nanvar, convention=_LEFT_OUT)
def _nanvar(
    trace: Trace, a: Any, axis: Axes = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False,
    *, where: Any = True, mean: Any = np._NoValue, correction: Any = np._NoValue,
) -> Any:  # fmt: skip
    ddof = degrees_of_freedom(ddof, correction)
    array = wrap(trace, computed_in(trace, as_value(trace, a), dtype), scalar=False)
    mask = np.isnan(array)
    center = mean if given(mean) else np.nanmean(array, axis=axis, keepdims=True, where=where)
    options = {"axis": axis, "keepdims": given(keepdims) and bool(keepdims), "where": where}
    total = np.sum(np.where(mask, 0.0, squared(array - center)), **options)
    freedom = np.sum(~mask, **options) - ddof
    variance = np.where(freedom > 0, total / freedom, np.nan)
    return delivered(trace, variance if variance.ndim else variance[()], out, "np.nanvar")


@traces(np.nanstd, convention=_LEFT_OUT)
def _nanstd(
    trace: Trace, a: Any, axis: Axes = None, dtype: Any = None, out: Any = None, *args: Any, **kwargs: Any
) -> Any:
    deviation = root_of_sum(np.nanvar(a, axis, dtype, None, *args, **kwargs))
    return delivered(trace, deviation, out, "np.nanstd")
