"""The arguments of the public calls: what is taken as f, as x, and as a run-time operand."""

from __future__ import annotations

import pickle
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from sparsejac.errors import InputError, InputTypeError
from sparsejac.location import user_location
from sparsejac.pattern import Pattern

Floats = npt.NDArray[np.float64]


_SORTS = {"c": "complex numbers", "O": "Python objects", "U": "text (str)", "S": "text (bytes)"}


def check_function(call: str, f: Any) -> None:
    """Refuse what cannot be called."""
    if not callable(f):
        raise InputTypeError(
            f"{call}: f is not callable, it is a {type(f).__name__}\n  {user_location()}\n  Cure: pass the function "
            "itself, sparse_jacobian(f, x), not its result f(x)."
        )


def as_point(call: str, x: Any) -> Floats:
    """The point x as a float64 array of its own, in its own shape."""
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise InputError(
            f"{call}: x is not an array of numbers ({error})\n  {user_location()}\n  "
            "Cure: pass an array or a list of floats."
        ) from None
    if array.dtype.kind not in "biuf":
        what = _SORTS.get(array.dtype.kind, "values") + f" (dtype {array.dtype})"
        cure = (
            "pass real and imaginary parts as one real x, and put x[:n] + 1j * x[n:] together inside f"
            if array.dtype.kind == "c"
            else "pass an array or a list of floats"
        )
        raise InputTypeError(f"{call}: x holds {what}, not real numbers\n  {user_location()}\n  Cure: {cure}.")
    return np.array(array, dtype=np.float64, order="C")


def as_pattern(call: str, pattern: Any) -> Pattern:
    """A pattern given as a sparse matrix."""
    if not issparse(pattern):
        raise InputTypeError(
            f"{call}: pattern is a {type(pattern).__name__}\n  {user_location()}\n  Cure: pass a Pattern or a sparse "
            "matrix whose stored entries are the pattern."
        )
    return Pattern.from_scipy(pattern)


def is_operand(argument: Any) -> bool:
    """Whether a further argument of f is a run-time operand: floats, alone or in an array."""
    if isinstance(argument, np.ndarray):
        return bool(argument.dtype == np.float64)
    return isinstance(argument, float | np.float64)


def check_argnum(call: str, argnum: Any, count: int | None = None) -> None:
    """Refuse what is not the position of an argument."""
    if isinstance(argnum, bool) or not isinstance(argnum, int | np.integer) or argnum < 0:
        raise InputTypeError(
            f"{call}: argnum={argnum!r} is not the position of an argument\n  {user_location()}\n  Cure: pass 0 for "
            "the first argument of f, 1 for the second."
        )
    if count is not None and argnum >= count:
        raise InputError(
            f"{call}: argnum is {argnum}, but f was called with {count} positional arguments\n  {user_location()}\n  "
            "Cure: pass the argument to differentiate by position, or another argnum."
        )


def described(argument: Any) -> Any:
    """What of a further argument of f belongs to the path through f, as a value that later changes cannot reach.

    Of an operand this is its shape, of everything else its content. Functions are told apart by identity; an object
    whose content cannot be read (by pickling it) equals nothing, so that f is traced again rather than taken for known.

    Examples
    --------
    >>> indices = [0, 1]
    >>> before = described(indices)
    >>> indices[:] = [2, 3]
    >>> before == described(indices)
    False
    """
    return ("operand", np.shape(argument)) if is_operand(argument) else _content(argument)


def _content(argument: Any) -> Any:
    if argument is None or isinstance(argument, str | bytes | int | float | complex | np.generic):
        return type(argument), argument
    if isinstance(argument, list | tuple):
        return type(argument), tuple(map(_content, argument))
    if isinstance(argument, dict):
        return type(argument), tuple((_content(key), _content(value)) for key, value in argument.items())
    if isinstance(argument, np.ndarray) and argument.dtype.kind != "O":
        return "array", argument.dtype.str, argument.shape, argument.tobytes()
    try:
        return type(argument), pickle.dumps(argument)
    except Exception:  # anything may be raised by a foreign __reduce__
        return "object", _Same(argument if isinstance(argument, FunctionType) else object())


class _Same:
    """Equal to itself alone; keeps its object alive, so that no other one takes its identity."""

    def __init__(self, known: Any) -> None:
        self.known = known

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.known is self.known

    def __hash__(self) -> int:
        return id(self.known)
