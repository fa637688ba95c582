"""scipy.stats: samples by their mean and standard deviation."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace

_MODULE = "scipy.stats"


def _scores(trace: Trace, name: str, a: Any, compare: Any, axis: Any, ddof: Any, nan_policy: str) -> Any:
    if nan_policy != "propagate" or not all_plain((axis, ddof)):
        raise trace.refusal(
            f"{_MODULE}.{name} with these options",
            "there is a rule for a constant axis and nan_policy='propagate'",
            "write (a - np.nanmean(a, axis, keepdims=True)) / np.nanstd(a, axis, ddof=ddof, keepdims=True)",
        )
    scores = as_array(trace, a) * 1.0
    sample = scores if compare is a else as_array(trace, compare) * 1.0
    mean = np.mean(sample, axis=axis, keepdims=True)
    if mean.size and sample.size // mean.size <= ddof:  # SciPy's deviation of so few is NaN, NumPy's may be infinite
        return (scores - mean) * np.nan
    deviation = np.std(sample, axis=axis, ddof=ddof, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (scores - mean) / deviation
    if compare is not a:
        return found
    return np.where(deviation <= np.abs(np.finfo(float).eps * mean), np.nan, found)  # equal numbers have no scores


@follows(_MODULE, "zscore")
def _zscore(trace: Trace, a: Any, axis: Any = 0, ddof: Any = 0, nan_policy: str = "propagate") -> Any:
    return _scores(trace, "zscore", a, a, axis, ddof, nan_policy)


@follows(_MODULE, "gzscore")
def _gzscore(trace: Trace, a: Any, *, axis: Any = 0, ddof: Any = 0, nan_policy: str = "propagate") -> Any:
    logarithms = np.log(as_array(trace, a))
    return _scores(trace, "gzscore", logarithms, logarithms, axis, ddof, nan_policy)


@follows(_MODULE, "zmap")
def _zmap(trace: Trace, scores: Any, compare: Any, axis: Any = 0, ddof: Any = 0, nan_policy: str = "propagate") -> Any:
    return _scores(trace, "zmap", scores, compare, axis, ddof, nan_policy)
