"""Named methods of traced arrays that are more than the NumPy function of the same name."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.array import TracedArray, plain_array
from sparsejac.tracing.conversion import as_array, as_value, in_dtype, settled, wrap
from sparsejac.tracing.memory_order import is_fortran, loosened
from sparsejac.tracing.registry import REFUSALS, hook, method, traces
from sparsejac.tracing.trace import Trace
from sparsejac.tracing.watched import make_twins


@method("reshape")
def _reshape(array: TracedArray, *shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    """A view if NumPy can make one."""
    if copy:
        return _reshape(_copy(array), *shape, order=order)
    _check_order(array, order)
    view = array.window.reshape(*shape, order=order)
    if not array.size or np.may_share_memory(view, array.window):
        if array.is_loose and _lengths(view) != _lengths(array.window):
            return _maybe_view(array, *shape, order=order)
        return array.at_view(view, array.start)
    if copy is False:
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    if array.is_loose:
        return _maybe_view(array, *shape, order=order)
    return _reshape(_copy(array, order), *shape, order=order)


def _maybe_view(array: TracedArray, *shape: Any, order: Any) -> Any:
    """A copy which in NumPy may be a view, as long as nobody can tell."""
    copied = _copy(array, order)
    make_twins(array.storages, copied.storages)
    return _reshape(copied, *shape, order=order)


def _lengths(window: npt.NDArray[Any]) -> list[int]:
    """The lengths of the axes with several places: a reshape that keeps them gives a view in any memory order."""
    return [n for n in window.shape if n != 1]


def _check_order(array: TracedArray, order: Any) -> None:
    """Refuse an order that is that of NumPy's memory, which traced arrays do not share."""
    if order not in ("C", "F") and array.ndim > 1:
        raise array.tracer.refusal(
            f"order={order!r} of a value that depends on x", "it is the order of the memory", "use order='C' or 'F'"
        )


if hasattr(np.ndarray, "_set_shape"):  # since NumPy 2.5, which deprecates setting the attribute

    @method("_set_shape")
    def _set_shape(array: TracedArray, shape: Any) -> None:
        array.shape = shape


@method("ravel")
def _ravel(array: TracedArray, order: Any = "C") -> Any:
    """A view of memory without gaps, otherwise a copy, also where a reshape would be a view."""
    _check_order(array, order)
    order = "F" if order == "F" else "C"
    if array.is_loose:
        return _maybe_view(array, -1, order=order)
    is_view = not array.size or np.may_share_memory(array.window.ravel(order), array.window)
    return _reshape(array if is_view else _copy(array, order), -1, order=order)


@traces(np.reshape)
def _reshape_function(trace: Trace, a: Any, shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    return _reshape(as_array(trace, a), shape, order=order, copy=copy)


@traces(np.ravel)
def _ravel_function(trace: Trace, a: Any, order: Any = "C") -> Any:
    return _ravel(as_array(trace, a), order)


@method("flatten")
def _flatten(array: TracedArray, order: Any = "C") -> Any:
    _check_order(array, order)
    return _reshape(_copy(array, order), -1, order="F" if order == "F" else "C")


@method("view")
def _view(array: TracedArray, *dtype: Any, **kwargs: Any) -> Any:
    """The same memory, without another dtype."""
    wanted = [*dtype, *kwargs.values()]
    foreign = next((w for w in wanted if _is_foreign(w)), None)
    if array.is_plain and wanted:
        view = array.window.view(*dtype, **kwargs)
        # Under another dtype or class the numbers lie elsewhere: what is written there must not depend on x.
        is_same = view.dtype == array.dtype and foreign is None
        return array.at_view(view) if is_same else array.__array__().view(*dtype, **kwargs)
    if foreign is not None:
        raise array.tracer.refusal(
            f"ndarray.view({foreign.__name__})",
            "such an array computes in ways of its own (np.matrix multiplies matrices by *)",
            "compute with ordinary arrays: A @ B in place of the * of np.matrix",
        )
    if any(w is not np.ndarray and np.dtype(w) != array.dtype for w in wanted):
        raise array.tracer.refusal(
            "ndarray.view with another dtype",
            "it looks at the bits of a value that depends on x",
            "use astype; real and imaginary parts in turn are np.stack([z.real, z.imag], axis=-1).reshape(-1), and "
            "back y[::2] + 1j * y[1::2]",
        )
    return array.at_view(array.window.view())


def _is_foreign(wanted: Any) -> bool:
    """Whether a class stands for an array that computes otherwise than an ordinary one."""
    return isinstance(wanted, type) and issubclass(wanted, np.ndarray) and wanted is not np.ndarray


@method("transpose")
def _transpose(array: TracedArray, *axes: Any) -> TracedArray:
    return array.at_view(array.window.transpose(*axes), array.start)


@method("copy")
def _copy(array: TracedArray, order: Any = "C") -> TracedArray:
    """A copy with memory of its own."""
    if array.is_plain:
        return plain_array(array.tracer, array.window.copy(order))
    fortran = is_fortran(order)
    value = as_value(array.tracer, array.T) if fortran else array.value
    copied: TracedArray = wrap(array.tracer, value, scalar=False)
    copied.retyped(array.dtype)
    if order in ("K", "A"):
        loosened(copied, array)
    return copied.T if fortran else copied


@method("astype")
def _astype(
    array: TracedArray, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
) -> Any:
    """Rounded to another precision; as integers where no derivative is lost."""
    wanted = np.dtype(dtype)
    if wanted == array.dtype and not copy:
        return array if _lies_in(array, order) else _copy(array, order)
    if array.is_plain:
        return plain_array(array.tracer, array.window.astype(wanted, order, casting))
    if not np.can_cast(array.dtype, wanted, casting):
        raise TypeError(f"Cannot cast array data from {array.dtype!r} to {wanted!r} according to the rule {casting!r}")
    if wanted.kind == "O":
        return array._objects()
    made = array if wanted == array.dtype else in_dtype(array.tracer, array.value, wanted)
    if made is array or is_fortran(order):
        return _copy(made, order)
    return loosened(made, array)


def _lies_in(array: TracedArray, order: Any) -> bool:
    """Whether NumPy would take an array as one in this order."""
    if order not in ("C", "F") or array.ndim < 2:
        return True
    flags = array.window.flags
    return not array.storages[0].is_loose and bool(flags.f_contiguous if order == "F" else flags.c_contiguous)


def _conjugate(array: TracedArray, *args: Any, **kwargs: Any) -> Any:
    """Of real numbers the array itself, not a copy."""
    return array if array.dtype.kind != "c" and not (args or kwargs) else np.conjugate(array, *args, **kwargs)


method("conj")(_conjugate)
method("conjugate")(_conjugate)


@method("fill")
def _fill(array: TracedArray, value: Any) -> None:
    array[...] = value


@method("setflags")
def _setflags(
    array: TracedArray, write: bool | None = None, align: bool | None = None, uic: bool | None = None
) -> None:
    """Writes may be forbidden, as NumPy does it: views that were made before still take them."""
    if write is not None and not write:
        array.window.setflags(write=False)
    elif write and not array.window.flags.writeable:
        raise array.tracer.refusal(
            "ndarray.setflags(write=True)", "it may be a view of what is read-only", "write into y.copy()"
        )


@method("item")
def _item(array: TracedArray, *args: Any) -> Any:
    """One element; it stays traced."""
    if not args:
        if array.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return array[(0,) * array.ndim]
    flat = len(args) == 1 and not isinstance(args[0], tuple)
    index = np.unravel_index(range(array.size)[args[0]], array.shape) if flat else args
    return array[tuple(int(k) for k in np.ravel(index))]


@method("tolist")
def _tolist(array: TracedArray) -> Any:
    """Lists of elements that stay traced."""
    if array.is_plain:
        return array.window.tolist()
    return array[()] if array.ndim == 0 else [row.tolist() if array.ndim > 1 else row for row in array]


@method("compress")
def _compress(array: TracedArray, condition: Any, axis: int | None = None, out: Any = None) -> Any:
    return np.compress(condition, array, axis=axis, out=out)


class _Flat:
    """``y.flat`` where NumPy cannot make it a view: elements in C order, each at its own place."""

    def __init__(self, array: TracedArray) -> None:
        self._array = array

    def __len__(self) -> int:
        return self._array.size

    def __iter__(self) -> Any:
        return iter(_ravel(self._array))

    def __getitem__(self, key: Any) -> Any:
        return _ravel(self._array)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        chosen = np.arange(self._array.size)[settled(self._array.tracer, key)]
        self._array[np.unravel_index(chosen, self._array.shape)] = value


hook("flat")(_Flat)

_BITS = ("it reads the bits of the numbers, which would lose the derivative", "use the array itself, or x.copy()")

for _name in ("_set_dtype", "byteswap", "dump", "dumps", "getfield", "setfield", "tobytes", "tofile", "tostring"):
    REFUSALS["numpy.ndarray", _name] = _BITS
REFUSALS["numpy.ndarray", "strides"] = (
    "where numbers lie in memory is known to NumPy alone",
    "np.lib.stride_tricks.sliding_window_view(x, width), or a table of places: x[places]",
)
REFUSALS["numpy.ndarray", "resize"] = (
    "other arrays of f may share its memory",
    "make a new array by np.resize, np.pad or np.concatenate",
)
