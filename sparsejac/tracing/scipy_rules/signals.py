"""scipy.signal: linear filters by their matrices, convolutions of two signals as sums of products."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.linalg.operators import operand
from sparsejac.tracing.numpy_rules.products import sparse_product
from sparsejac.tracing.registry import follows, unfollowed
from sparsejac.tracing.scipy_rules.linear_maps import LIMIT, described, linear_call
from sparsejac.tracing.trace import Trace

_MODULE = "scipy.signal"
_Places = npt.NDArray[np.int64]

_SIGNAL = {
    "lfilter": "x", "sosfilt": "x", "filtfilt": "x", "sosfiltfilt": "x", "savgol_filter": "x", "detrend": "data",
    "hilbert": "x", "resample": "x", "resample_poly": "x", "upfirdn": "x", "decimate": "x",
}  # fmt: skip
"""Linear filter -> the name of the argument that may depend on x."""

_WITH_NOISE = frozenset(["hilbert", "resample", "savgol_filter"])
"""Filters whose coefficients hold zeros that were rounded."""


def _filter(name: str, trace: Trace, *args: Any, **kwargs: Any) -> Any:
    function = getattr(load(_MODULE), name)
    bound = signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    options = dict(bound.arguments)
    array = as_array(trace, options.pop(_SIGNAL[name]))
    _check_options(trace, name, options)
    options = plain(options)
    axis = int(options["axis"]) % max(array.ndim, 1)
    reach: list[int | None] = [0] * array.ndim
    reach[axis] = _reach(name, options)
    call = partial(_run, function, _SIGNAL[name], options)
    key = described(trace, f"{_MODULE}.{name}", options)
    return linear_call(trace, f"{_MODULE}.{name}", call, array, reach, key, clean=name in _WITH_NOISE)


def _run(function: Callable[..., Any], argument: str, options: dict[str, Any], array: Any) -> Any:
    return function(**{argument: array}, **options)


def _reach(name: str, options: dict[str, Any]) -> int | None:
    """How far along the axis an element's influence goes; None for everywhere."""
    if name == "lfilter" and np.size(options["a"]) == 1:
        return np.size(options["b"])
    if name == "savgol_filter" and options["mode"] != "wrap":
        return int(options["window_length"])
    return None


def _check_options(trace: Trace, name: str, options: dict[str, Any]) -> None:
    traced = [key for key, option in options.items() if not all_plain(option)]
    if traced:
        raise trace.refusal(
            f"{_MODULE}.{name} with {traced[0]} that depends on x",
            "only the signal may depend on x",
            "write the recurrence as a loop, or the filter as a sum of shifted slices",
        )
    if options.get("zi") is not None:
        raise trace.refusal(f"{_MODULE}.{name} with zi=", "there is no rule for it", "write the recurrence as a loop")
    if options.get("t") is not None:
        raise trace.refusal(f"{_MODULE}.{name} with t=", "it gives a pair", "compute the times yourself")


def _convolution(name: str, trace: Trace, in1: Any, in2: Any, mode: str = "full", **options: Any) -> Any:
    """Convolutions and correlations, linear in each of their operands."""
    if options.get("axes") is not None:
        raise trace.refusal(f"{_MODULE}.{name} with axes=", "there is no rule for it", "loop over the other axes")
    function = getattr(load(_MODULE), name)
    call = partial(_run_pair, function, mode, options)
    key = (mode, *sorted(options.items()))
    if options.get("boundary", "fill") != "fill" or options.get("fillvalue", 0) != 0:
        return _continued(trace, name, call, in1, in2, key)
    first, second = (operand(trace, signal, f"{_MODULE}.{name}") for signal in (in1, in2))
    (value,) = called(trace, f"{_MODULE}.{name}", call, first, second, key=key)
    if not value.ndim or not value.size:
        return derived(trace, value, first * second if not value.ndim else value)
    if name.startswith("correlate"):
        second = np.conj(second[(slice(None, None, -1),) * second.ndim])
    late = name == "correlate2d"  # for even kernels its middle is the later one of two
    surrogate = _products(trace, name, first, second, mode, late).reshape(value.shape)
    _check(trace, name, value, surrogate)
    return derived(trace, value, surrogate)


def _run_pair(function: Callable[..., Any], mode: str, options: dict[str, Any], a: Any, b: Any) -> Any:
    return function(a, b, mode, **options)


def _continued(trace: Trace, name: str, call: Callable[..., Any], in1: Any, in2: Any, key: tuple[Any, ...]) -> Any:
    """With an array that is continued beyond its boundary by something else than zeros."""
    if not all_plain(in2):
        raise trace.refusal(
            f"{_MODULE}.{name} with this boundary and a kernel that depends on x",
            "there is a rule for boundary='fill' alone",
            "extend the array by np.pad and use mode='valid'",
        )
    kernel = np.asarray(plain(in2))
    array = as_array(trace, in1)
    text = (*key, *described(trace, name, {"kernel": kernel}))
    return linear_call(trace, f"{_MODULE}.{name}", lambda a: call(a, kernel), array, [None] * array.ndim, text)


def _products(trace: Trace, name: str, first: Any, second: Any, mode: str, late: bool) -> Any:
    """The convolution as a sparse matrix times a vector, or as sums of products."""
    i, j = _nonzero_places(first), _nonzero_places(second)
    if len(i) * len(j) > LIMIT:
        raise trace.refusal(
            f"{_MODULE}.{name} of so many values that depend on x",
            f"its derivative has more than {LIMIT} products",
            "use shorter signals or a shorter kernel",
        )
    rows, i, j, count = _pairs(first.shape, second.shape, i, j, mode, late)
    if all_plain(second):
        matrix = sp.csr_array(sp.coo_array((second.reshape(-1)[j], (rows, i)), shape=(count, first.size)))
        return sparse_product(trace, matrix, first.reshape(-1))
    if all_plain(first):
        matrix = sp.csr_array(sp.coo_array((first.reshape(-1)[i], (rows, j)), shape=(count, second.size)))
        return sparse_product(trace, matrix, second.reshape(-1))
    ones = sp.csr_array(sp.coo_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(count, len(rows))))
    return sparse_product(trace, ones, first.reshape(-1)[i] * second.reshape(-1)[j])


def _nonzero_places(signal: Any) -> _Places:
    return np.flatnonzero(signal) if isinstance(signal, np.ndarray) and all_plain(signal) else np.arange(signal.size)


def _pairs(
    a: tuple[int, ...], b: tuple[int, ...], i: _Places, j: _Places, mode: str, late: bool
) -> tuple[_Places, _Places, _Places, int]:
    """Which products go into which element of the result: its number, the places of both factors; and its size."""
    full = [p + q - 1 for p, q in zip(a, b, strict=True)]
    shape = {
        "full": full,
        "same": list(a),
        "valid": [max(p, q) - min(p, q) + 1 for p, q in zip(a, b, strict=True)],
    }[mode]
    first, second = np.repeat(i, len(j)), np.tile(j, len(i))
    inside = np.ones(len(first), dtype=bool)
    places = []
    for p, q, n, m in zip(np.unravel_index(first, a), np.unravel_index(second, b), full, shape, strict=True):
        place = p + q - (n - m + late) // 2
        inside &= (place >= 0) & (place < m)
        places.append(place)
    rows = np.ravel_multi_index([place[inside] for place in places], shape)
    return rows, first[inside], second[inside], int(np.prod(shape))


def _check(trace: Trace, name: str, value: Any, surrogate: Any) -> None:
    """Refuse what is not the sum of products that was written for it."""
    known, rebuilt = (np.asarray([trace.peek(part) for part in a.value.parts]) for a in (value, surrogate))
    with np.errstate(all="ignore"):
        gap = np.abs(known - rebuilt[: len(known)])
        size = np.max(np.abs(known), initial=0.0, where=np.isfinite(known))
    if np.isfinite(known).all() and bool((gap > 1e-6 * size + 1e-300).any()):
        raise trace.refusal(f"{_MODULE}.{name}", "its result is not the expected sum", "write it with slices")


_CURES = {
    **dict.fromkeys(["medfilt", "medfilt2d", "order_filter"], "stack shifted slices, use np.sort along the new axis"),
    **dict.fromkeys(
        ["periodogram", "welch", "csd", "coherence", "spectrogram", "stft", "istft"], "write it with np.fft.rfft"
    ),
    **dict.fromkeys(["lsim", "dlsim", "impulse", "step", "deconvolve", "lfiltic"], "write the recurrence as a loop"),
    **dict.fromkeys(["freqz", "sosfreqz", "freqs", "group_delay"], "np.polyval of the coefficients"),
    **dict.fromkeys(["find_peaks", "argrelmax", "argrelmin", "argrelextrema"], "compare shifted slices as a branch"),
    **dict.fromkeys(["wiener", "symiirorder1", "symiirorder2", "cspline1d", "qspline1d"], "write it with slices"),
}  # fmt: skip
"""What is not followed -> what to write instead."""


for _name in _SIGNAL:
    follows(_MODULE, _name)(partial(_filter, _name))
for _name in ("convolve", "fftconvolve", "oaconvolve", "correlate", "convolve2d", "correlate2d"):
    follows(_MODULE, _name)(partial(_convolution, _name))
for _name, _cure in _CURES.items():
    unfollowed(_MODULE, _name, cure=_cure)
