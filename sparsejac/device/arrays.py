"""Arrays on a device among the arguments of a call: as CuPy's, as copies on the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.device.driver import cupy
from sparsejac.errors import InputError, InputTypeError
from sparsejac.location import user_location
from sparsejac.residence import holds_device_array, is_on_device


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """An argument with the arrays on devices changed, in containers too."""
    if is_on_device(value):
        return change(value)
    if not holds_device_array(value):
        return value
    if isinstance(value, dict):
        made = {key: mapped(item, change) for key, item in value.items()}
        return made if type(value) is dict else _refilled(value, made)
    if isinstance(value, list | tuple):
        items = [mapped(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return _replaced(value, change)


def _refilled(value: Any, made: dict[Any, Any]) -> Any:
    copy = value.copy()
    copy.update(made)
    return copy


def _replaced(value: Any, change: Callable[[Any], Any]) -> Any:
    """A dataclass whose fields hold other things; its constructor is not run."""
    copy = object.__new__(type(value))
    copy.__dict__.update(vars(value))
    for field in fields(value):
        object.__setattr__(copy, field.name, mapped(getattr(value, field.name), change))
    return copy


DOUBLE = np.dtype(np.float64)


def as_cupy(call: str, name: str, value: Any, dtype: np.dtype[Any] = DOUBLE) -> Any:
    """An array on a device as one of CuPy, contiguous, sharing memory where it has the type in which all is kept.

    Raises
    ------
    InputTypeError
        If it holds no real numbers.
    """
    array = value
    if not isinstance(value, cupy().ndarray):
        array = cupy().from_dlpack(value) if hasattr(value, "__dlpack__") else cupy().asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(
            f"{call}: {name} holds values of dtype {array.dtype}, not real numbers\n  {user_location()}\n  Cure: pass "
            "real and imaginary parts as one real array, and put them together inside f."
        )
    if array.dtype != dtype:
        array = array.astype(dtype)
    return array if array.flags.c_contiguous else cupy().ascontiguousarray(array)


def on_host(value: Any) -> npt.NDArray[Any]:
    """A copy on the host."""
    array = value if isinstance(value, cupy().ndarray) else as_cupy("sparsejac", "an argument", value)
    copied: npt.NDArray[Any] = cupy().asnumpy(array)
    return copied


def device_of(call: str, arrays: list[Any]) -> int:
    """The device on which all arrays are.

    Raises
    ------
    InputError
        If they are on several.
    """
    places = sorted({int(array.device.id) for array in arrays})
    if len(places) > 1:
        raise InputError(
            f"{call}: arrays on several devices, {', '.join(map(str, places))}\n  {user_location()}\n  Cure: copy them "
            f"to one: with cupy.cuda.Device({places[0]}): c = cupy.asarray(c)."
        )
    return places[0]


def refuse_host(call: str, name: str, value: Any) -> None:
    """Refuse an array of floats of the host beside those on a device."""
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "f":
        raise InputTypeError(
            f"{call}: {name} is a NumPy array on the host, and x is on a device\n  {user_location()}\n  Cure: pass "
            "cupy.asarray(...) of it, made once; or all arguments as NumPy arrays."
        )
