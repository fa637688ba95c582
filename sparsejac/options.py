"""Options of the public calls: their names, their values, and the one validator."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from kernels.lazy import load
from sparsejac.errors import InputError, InputTypeError
from sparsejac.location import user_location

Format = Literal["csr", "csc", "coo"]
StrategyName = Literal["auto", "forward", "reverse", "bidirectional", "identity", "elimination", "measure"]
HessianStrategyName = Literal[
    "auto", "star", "acyclic", "elements", "elimination", "identity", "forward", "reverse", "bidirectional", "measure"
]
BackendName = Literal["auto", "numpy", "numba"]


def order_names() -> Any:
    """The orders of greedy colorings, as a `Literal`."""
    return load("coloring").OrderName


def check_option(call: str, option: str, given: Any, literal: Any) -> None:
    """Refuse a value that is not one of a `Literal`'s."""
    known = get_args(literal)
    if given not in known:
        raise InputError(
            f"{call}: {option}={given!r} is not an option\n  {user_location()}\n  Cure: choose one of "
            f"{', '.join(map(repr, known))}."
        )


def check_flags(call: str, **flags: Any) -> None:
    """Refuse what is neither True nor False."""
    for option, given in flags.items():
        if not isinstance(given, bool | np.bool_):
            raise InputTypeError(
                f"{call}: {option}={given!r} is neither True nor False\n  {user_location()}\n  Cure: pass one of them."
            )


def checked_dtype(call: str, given: Any, *, on_device: bool) -> np.dtype[Any]:
    """The type of numbers that a plan keeps; float32 is for devices.

    Raises
    ------
    InputError
    """
    dtype: np.dtype[Any]
    try:
        dtype = np.dtype(given)
    except TypeError:
        dtype = np.dtype(object)
    if dtype == np.float64 or (dtype == np.float32 and on_device):
        return dtype
    place, cure = "a device" if on_device else "the host", "leave dtype= out, or pass float64 or float32"
    if dtype == np.float32:
        cure = "leave dtype= out; on the host all numbers are float64: plan.values(x).astype(np.float32)"
    raise InputError(f"{call}: dtype={given!r} with x on {place}\n  {user_location()}\n  Cure: {cure}.")
