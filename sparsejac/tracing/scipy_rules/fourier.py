"""np.fft and scipy.fft: values by the library, derivatives by the constant matrix along each axis in turn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from kernels.lazy import load
from sparsejac.tracing.base import plain
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array, delivered
from sparsejac.tracing.numpy_rules.structural import structural
from sparsejac.tracing.registry import follows, traces, unfollowed
from sparsejac.tracing.scipy_rules.linear_maps import along_axis
from sparsejac.tracing.trace import Trace

_ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
_SEVERAL_AXES = {
    "fft2": ("fft", "fft"), "ifft2": ("ifft", "ifft"), "fftn": ("fft", "fft"), "ifftn": ("ifft", "ifft"),
    "rfft2": ("fft", "rfft"), "rfftn": ("fft", "rfft"), "irfft2": ("ifft", "irfft"), "irfftn": ("ifft", "irfft"),
    "hfft2": ("fft", "hfft"), "hfftn": ("fft", "hfft"), "ihfft2": ("ifft", "ihfft"), "ihfftn": ("ifft", "ihfft"),
}  # fmt: skip
"""A transform over several axes -> the one along all but the last axis, and the one along the last."""

_LAST_FIRST = frozenset(["rfft", "ihfft", "fft", "ifft"])
_TRIGONOMETRIC = ("dct", "idct", "dst", "idst")


def _one_axis(
    library: str, name: str, trace: Trace, x: Any = None, n: Any = None, axis: int = -1, norm: Any = None, *others: Any,
    out: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """A transform along one axis; what remains (overwrite_x, workers, plan) has no influence on its values."""
    array = _input(trace, f"{library}.{name}", options.pop("a", x))  # NumPy calls it a, SciPy x
    key = (plain(n), norm)
    function = partial(_transform, library, name, n=plain(n), norm=norm)
    value = _value(trace, f"{library}.{name}", partial(function, axis=int(plain(axis))), array, (*key, axis))
    along = partial(_along, function)
    surrogate = along_axis(trace, f"{library}.{name}", along, array, int(plain(axis)), key, clean=True)
    return delivered(trace, derived(trace, value, surrogate), out, f"{library}.{name}")


def _transform(library: str, name: str, array: Any, **options: Any) -> Any:
    return getattr(load(library), name)(array, **options)


def _along(function: Any, array: Any, axis: int) -> Any:
    return function(array, axis=axis)


def _input(trace: Trace, name: str, x: Any) -> Any:
    array = as_array(trace, x)
    if array.kind in "hs":
        raise trace.refusal(f"{name} in single precision", "there is no rule for it", "convert with astype(np.float64)")
    return array * 1.0 if array.kind in "bi" else array


def _value(trace: Trace, name: str, function: Any, array: Any, key: tuple[Any, ...]) -> Any:
    return called(trace, name, function, array, key=key)[0]


def _several_axes(
    library: str, name: str, trace: Trace, x: Any = None, s: Any = None, axes: Any = None, norm: Any = None,
    *others: Any, out: Any = None, **options: Any,
) -> Any:  # fmt: skip
    array = _input(trace, f"{library}.{name}", options.pop("a", x))  # NumPy calls it a, SciPy x
    s, axes = plain(s), plain(axes)
    if name.endswith("2") and axes is None:
        axes = (-2, -1)
    lengths, places = _resolved(array.ndim, s, axes)
    given_axes = {} if axes is None else {"axes": axes}
    function = partial(_transform, library, name, s=s, norm=norm, **given_axes)
    value = _value(trace, f"{library}.{name}", function, array, (s, axes, norm))
    others_name, last_name = _SEVERAL_AXES[name]
    names = [*[others_name] * (len(places) - 1), last_name][: len(places)]
    order = list(zip(names, lengths, places, strict=True))
    for step, length, place in order[::-1] if last_name in _LAST_FIRST else order:
        along = partial(_along, partial(_transform, library, step, n=length, norm=norm))
        array = along_axis(trace, f"{library}.{step}", along, array, place, (length, norm), clean=True)
    return delivered(trace, derived(trace, value, array), out, f"{library}.{name}")


def _resolved(ndim: int, s: Any, axes: Any) -> tuple[Sequence[Any], Sequence[int]]:
    """The length (or None) and the number of each axis that is transformed, as the libraries resolve them."""
    if axes is None:
        count = ndim if s is None else len(s)
        axes = range(ndim - count, ndim)
    axes = [int(axis) for axis in np.atleast_1d(axes)]
    lengths = [None] * len(axes) if s is None else [None if n is None or n == -1 else int(n) for n in np.atleast_1d(s)]
    return lengths, axes


def _trigonometric(
    name: str, trace: Trace, x: Any, type: int = 2, n: Any = None, axis: int = -1, norm: Any = None,
    overwrite_x: bool = False, workers: Any = None, orthogonalize: Any = None,
) -> Any:  # fmt: skip
    array = _input(trace, f"scipy.fft.{name}", x)
    options = {"type": type, "n": plain(n), "norm": norm, "orthogonalize": orthogonalize}
    function = partial(_transform, "scipy.fft", name, **options)
    value = _value(trace, f"scipy.fft.{name}", partial(function, axis=axis), array, (*options.values(), axis))
    along = partial(_along, function)
    return derived(
        trace, value, along_axis(trace, f"scipy.fft.{name}", along, array, axis, tuple(options.values()), clean=True)
    )


def _trigonometric_axes(
    name: str, trace: Trace, x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: Any = None,
    overwrite_x: bool = False, workers: Any = None, *, orthogonalize: Any = None,
) -> Any:  # fmt: skip
    array = _input(trace, f"scipy.fft.{name}", x)
    options = {"type": type, "norm": norm, "orthogonalize": orthogonalize}
    function = partial(_transform, "scipy.fft", name, s=plain(s), axes=plain(axes), **options)
    value = _value(trace, f"scipy.fft.{name}", function, array, (plain(s), plain(axes), *options.values()))
    for length, place in zip(*_resolved(array.ndim, plain(s), plain(axes)), strict=True):
        along = partial(_along, partial(_transform, "scipy.fft", name.removesuffix("n"), n=length, **options))
        key = (length, *options.values())
        array = along_axis(trace, f"scipy.fft.{name}", along, array, place, key, clean=True)
    return derived(trace, value, array)


for _name in _ONE_AXIS:
    traces(getattr(np.fft, _name))(partial(_one_axis, "numpy.fft", _name))
    follows("scipy.fft", _name)(partial(_one_axis, "scipy.fft", _name))
for _name in _SEVERAL_AXES:
    if hasattr(np.fft, _name):
        traces(getattr(np.fft, _name))(partial(_several_axes, "numpy.fft", _name))
    follows("scipy.fft", _name)(partial(_several_axes, "scipy.fft", _name))
for _name in _TRIGONOMETRIC:
    follows("scipy.fft", _name)(partial(_trigonometric, _name))
    follows("scipy.fft", f"{_name}n")(partial(_trigonometric_axes, f"{_name}n"))

structural(np.fft.fftshift, 0)
structural(np.fft.ifftshift, 0)


@follows("scipy.fft", "fftshift")
def _fftshift(trace: Trace, x: Any, axes: Any = None) -> Any:
    return np.fft.fftshift(as_array(trace, x), axes)


@follows("scipy.fft", "ifftshift")
def _ifftshift(trace: Trace, x: Any, axes: Any = None) -> Any:
    return np.fft.ifftshift(as_array(trace, x), axes)


for _name in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "dct", "idct", "dst", "idst"):
    unfollowed("scipy.fftpack", _name, why="it is the old interface", cure=f"use scipy.fft.{_name}")
