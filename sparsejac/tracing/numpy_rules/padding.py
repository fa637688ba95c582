"""np.pad: borders that are moved in, or computed from the array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.numpy_rules.differences import along
from sparsejac.tracing.numpy_rules.structural import pad_by_places
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

Border = Callable[[Any, int, int, Any], Any]
"""Function of (the array seen from this side, axis, width, option) that gives the border, inner end first."""

_STATISTICS: dict[str, Any] = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


def _pairs(option: Any, ndim: int) -> list[list[Any]]:
    """An option as (before, after) for each axis."""
    if not all_plain(option):
        return _traced_pairs(option, ndim)
    return [[pair[0], pair[1]] for pair in np.broadcast_to(np.asarray(option, dtype=object), (ndim, 2))]


def _traced_pairs(option: Any, ndim: int) -> list[list[Any]]:
    """`_pairs` of an option that holds values that depend on x: one number, a pair, or pairs."""
    pairs = np.broadcast_to(option, (ndim, 2))
    return [[pairs[k, 0], pairs[k, 1]] for k in range(ndim)]


@traces(np.pad)
def _pad(trace: Trace, array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    if callable(mode):
        raise trace.refusal("np.pad with a function", "NumPy calls it on ordinary memory", "assign the borders in f")
    odd = kwargs.get("reflect_type", "even") == "odd" and mode in ("reflect", "symmetric")
    if not odd and mode not in _BORDERS:
        return pad_by_places(trace, array, pad_width, "constant" if mode == "empty" else mode, **kwargs)
    padded = as_array(trace, array)
    known = {key: value if all_plain(value) else 0 for key, value in kwargs.items()}
    np.pad(np.zeros((1,) * padded.ndim), 0, mode, **known)  # NumPy says which options it does not take
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(k, pad_width.get(k - padded.ndim, (0, 0))) for k in range(padded.ndim)]
        pad_width = [(width, width) if np.ndim(width) == 0 else width for width in pad_width]
    border = _ODD[mode] if odd else _BORDERS[mode]
    option = _pairs(
        kwargs.get({"linear_ramp": "end_values"}.get(mode, "stat_length"), _DEFAULTS.get(mode)), padded.ndim
    )
    for axis, widths in enumerate(_pairs(pad_width, padded.ndim)):
        if odd and max(widths) > padded.shape[axis] - (mode == "reflect"):
            padded = _mirrored_again(padded, axis, widths, mode)
        else:
            padded = _pad_axis(padded, axis, widths, border, option[axis])
    return padded


def _pad_axis(array: Any, axis: int, widths: list[int], border: Border, options: list[Any]) -> Any:
    parts = [array]
    backwards = along(axis, array.ndim, slice(None, None, -1))
    if widths[0]:
        parts.insert(0, border(array, axis, int(widths[0]), options[0])[backwards])
    if widths[1]:
        parts.append(border(array[backwards], axis, int(widths[1]), options[1]))
    return np.concatenate(parts, axis=axis) if len(parts) > 1 else array.copy()


def _ramp(array: Any, axis: int, width: int, end: Any) -> Any:
    """From the edge to `end` in even steps."""
    edge = array[along(axis, array.ndim, slice(1))]
    shape = [1] * array.ndim
    shape[axis] = width
    steps = np.arange(width - 1, -1, -1.0).reshape(shape)
    return steps * ((edge - end) / width) + end


def _statistic(function: Any) -> Border:
    def border(array: Any, axis: int, width: int, length: Any) -> Any:
        inside = array[along(axis, array.ndim, slice(length))]
        if length == 0 and function in (np.max, np.min):
            raise ValueError("stat_length of 0 yields no value for padding")
        return np.repeat(function(inside, axis=axis, keepdims=True), width, axis=axis)

    return border


def _odd(reflected: Callable[[int], slice]) -> Border:
    """The mirror image turned around the edge: twice the edge less the elements inside."""

    def border(array: Any, axis: int, width: int, option: Any) -> Any:
        inside = array[along(axis, array.ndim, reflected(width))]
        return 2.0 * array[along(axis, array.ndim, slice(1))] - inside

    return border


def _mirrored_again(array: Any, axis: int, widths: list[int], mode: str) -> Any:
    """Borders that are longer than the array, as a matrix: NumPy's own of the unit vectors."""
    unit = np.eye(array.shape[axis])
    matrix = np.pad(unit, (widths, (0, 0)), mode, reflect_type="odd")  # type: ignore[call-overload]
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)


_BORDERS: dict[Any, Border] = {
    "linear_ramp": _ramp,
    **{name: _statistic(function) for name, function in _STATISTICS.items()},
}
_ODD: dict[str, Border] = {
    "reflect": _odd(lambda width: slice(1, width + 1)),
    "symmetric": _odd(lambda width: slice(width)),
}
_DEFAULTS = {"linear_ramp": 0}
