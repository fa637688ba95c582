"""Sums of exponentials of scipy.special: logsumexp, softmax, log_softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived, kept_fixed
from sparsejac.tracing.conversion import as_array, wrap
from sparsejac.tracing.registry import follows
from sparsejac.tracing.scipy_rules.special_partials import special
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]


@follows("scipy.special", "logsumexp")
def _logsumexp(
    trace: Trace, a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    array = _real(trace, "logsumexp", a)
    weights = np.ones(()) if b is None else plain(b) if all_plain(b) else _real(trace, "logsumexp", b)

    def run(a: Array, b: Array) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            total, sign = special.logsumexp(a, axis=axis, b=b, keepdims=True, return_sign=True)
            found = special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)
            value, signs = found if return_sign else (found, np.sign(found))
            return np.asarray(value), np.asarray(signs), sign * np.exp(a - total)

    def again(trace: Trace, a: Any, b: Any) -> tuple[Any, ...]:
        total, signs, share = called(trace, "scipy.special.logsumexp", run, a, b, key=key, again=again)
        terms = share * (kept_fixed(trace, b) * a + b)
        whole = np.sum(terms, axis=axis, keepdims=True)
        # The share of each term moves with its distance from the logarithm of the sum, whatever its weight.
        moved = derived(trace, share, share * (a - whole))
        return derived(trace, total, whole.reshape(total.shape)), signs, moved

    key = (axis, bool(keepdims), bool(return_sign))
    value, sign, share = called(trace, "scipy.special.logsumexp", run, array, weights, key=key, again=again)
    terms = share * weights * array
    if not all_plain(b):
        terms = share * (kept_fixed(trace, weights) * array + weights)
    total = derived(trace, value, np.sum(terms, axis=axis, keepdims=keepdims))
    return (total, wrap(trace, sign.value)) if return_sign else total


@follows("scipy.special", "softmax")
def _softmax(trace: Trace, x: Any, axis: Any = None) -> Any:
    array = _real(trace, "softmax", x)

    def again(trace: Trace, a: Any) -> Any:
        return _softmax(trace, a, axis)

    call = lambda a: special.softmax(a, axis)  # noqa: E731
    (y,) = called(trace, "scipy.special.softmax", call, array, key=(axis,), again=again)
    return derived(trace, y, y * (array - np.sum(y * array, axis=axis, keepdims=True)))


@follows("scipy.special", "log_softmax")
def _log_softmax(trace: Trace, x: Any, axis: Any = None) -> Any:
    return _logarithm_and_share(trace, _real(trace, "log_softmax", x), axis)[0]


def _logarithm_and_share(trace: Trace, array: Any, axis: Any) -> tuple[Any, Any]:
    """The logarithm of a softmax, and the softmax."""

    def run(a: Array) -> tuple[Array, Array]:
        y = np.asarray(special.log_softmax(a, axis))
        return y, np.exp(y)

    def again(trace: Trace, a: Any) -> tuple[Any, Any]:
        return _logarithm_and_share(trace, a, axis)

    y, share = called(trace, "scipy.special.log_softmax", run, array, key=(axis,), again=again)
    moved = array - np.sum(share * array, axis=axis, keepdims=True)
    return derived(trace, y, moved), derived(trace, share, share * moved)


def _real(trace: Trace, name: str, a: Any) -> Any:
    """An argument as an array of real numbers."""
    array = as_array(trace, a)
    if array.kind in "chs":
        raise trace.refusal(
            f"scipy.special.{name} of values of dtype {array.dtype}", "there is no rule for it", "give it as float64"
        )
    return array
