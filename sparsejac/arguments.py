"""The arguments of the public calls: what is taken as f, as x, and as a run-time operand."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from io import BytesIO
from itertools import count
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from sparsejac.errors import InputError, InputTypeError
from sparsejac.foreign import computes_otherwise
from sparsejac.location import user_location
from sparsejac.patterns.pattern import Pattern
from sparsejac.residence import is_on_device
from sparsejac.structure import Leaf

Floats = npt.NDArray[np.float64]


_SORTS = {"c": "complex numbers", "O": "Python objects", "U": "text (str)", "S": "text (bytes)"}


def check_function(call: str, f: Any, name: str = "f") -> None:
    """Refuse what cannot be called."""
    if not callable(f):
        raise InputTypeError(
            f"{call}: {name} is not callable, it is a {type(f).__name__}\n  {user_location()}\n  Cure: pass the "
            f"function itself, {name}, not its result {name}(x)."
        )


def as_point(call: str, x: Any, name: str = "x") -> Floats:
    """The point x (or what `name` calls a part of it) as a float64 array of its own, in its own shape."""
    if type(x) is np.ndarray and x.dtype == np.float64:
        return np.array(x, order="C")
    if is_on_device(x):
        raise InputTypeError(
            f"{call}: {name} is on a device, and this call, or another of its arguments, is on the host\n  "
            f"{user_location()}\n  Cure: pass cupy.asnumpy(...) of it, or all arguments on the device."
        )
    check_unmasked(call, x, name)
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise InputError(
            f"{call}: {name} is not an array of numbers ({error})\n  {user_location()}\n  "
            "Cure: pass an array or a list of floats."
        ) from None
    if array.dtype.kind not in "biuf":
        what = _SORTS.get(array.dtype.kind, "values") + f" (dtype {array.dtype}, from a {type(x).__name__})"
        is_x, cure = name.startswith(("x", "argument")), "pass an array or a list of floats"
        if array.dtype.kind == "c":
            one = "pass real and imaginary parts as one real x, and put x[:n] + 1j * x[n:] together inside f"
            cure = one if is_x else f"pass {name}.real and {name}.imag apart"
        raise InputTypeError(f"{call}: {name} holds {what}, not real numbers\n  {user_location()}\n  Cure: {cure}.")
    return np.array(array, dtype=np.float64, order="C")


def check_unmasked(call: str, x: Any, name: str) -> None:
    """Refuse numbers that are there but masked: `np.asarray` would take them."""
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray and np.any(getattr(x, "mask", False)):
        raise InputTypeError(
            f"{call}: {name} is a {type(x).__name__} with masked numbers, which would be taken as they are\n  "
            f"{user_location()}\n  Cure: pass {name}.filled(0.0), or what else stands for them."
        )


def as_number(call: str, value: Any, name: str) -> float:
    """One real number, such as a factor."""
    if type(value) is float:
        return value
    array = as_point(call, value, name)
    if array.ndim:
        raise InputError(f"{call}: {name} has shape {array.shape}\n  {user_location()}\n  Cure: pass one number.")
    return float(array)


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
        return bool(argument.dtype == np.float64) and not computes_otherwise(type(argument))
    return type(argument) is float or type(argument) is np.float64


def check_argnums(call: str, argnums: Any) -> None:
    """Refuse what is neither the position of an argument nor a tuple of such positions."""
    positions = argnums if isinstance(argnums, tuple) else (argnums,)
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 0 for k in positions)
    if not whole or not positions or len(set(positions)) < len(positions):
        raise InputTypeError(
            f"{call}: argnums={argnums!r} is no position of an argument, and no tuple of different ones\n  "
            f"{user_location()}\n  Cure: pass 0 for the first argument of f, 1 for the second, (0, 1) for both."
        )


def check_argnums_given(call: str, argnums: tuple[int, ...], count: int) -> None:
    """Refuse positions at which no argument came."""
    if max(argnums) >= count:
        raise InputError(
            f"{call}: argnums is {', '.join(map(str, argnums))}, but f was called with {count} positional arguments\n  "
            f"{user_location()}\n  Cure: pass the arguments to differentiate by position, or other argnums."
        )


def as_leaf(call: str, path: str, value: Any) -> tuple[Leaf, Floats]:
    """One array or number of x: its description, and its numbers as a vector of their own.

    What computes in a way of its own is refused: f is called with ordinary arrays, and would be another function.
    """
    kind = type(value)
    if computes_otherwise(kind) and not is_on_device(value):
        raise InputTypeError(
            f"{call}: {path} is a {kind.__module__}.{kind.__qualname__}, which computes in a way of its own (products "
            f"of matrices, masks, units, labels), and f is followed with ordinary arrays\n  {user_location()}\n  "
            "Cure: pass np.asarray(x), masked.filled(0.0) or series.to_numpy(), and let f take ordinary arrays."
        )
    point = as_point(call, value, path)
    is_number = point.ndim == 0 and not isinstance(value, np.ndarray)
    return Leaf(point.shape, is_number), point.reshape(-1)


def check_container(call: str, path: str, obj: Any) -> None:
    """Refuse dataclasses that hold more than their fields, which might have been computed from them."""
    known = {f.name for f in fields(obj)} if is_dataclass(obj) else set()
    further = sorted(set(getattr(obj, "__dict__", {})) - known) if known else []
    if further:
        raise InputTypeError(
            f"{call}: {path} is a {type(obj).__name__} with attributes beside its fields ({', '.join(further)}), "
            f"whose dependence on the fields would be lost\n  {user_location()}\n  Cure: compute them in f or in "
            "properties, or pass a dict."
        )


def operands(argument: Any) -> Iterator[Any]:
    """The run-time operands in a further argument of f: floats and float64 arrays, alone or in dicts."""
    if type(argument) is dict:
        for item in argument.values():
            yield from operands(item)
    elif is_operand(argument):
        yield argument


def with_operands(argument: Any, given: Iterator[Any]) -> Any:
    """A further argument of f with other operands in their places."""
    if type(argument) is dict:
        return {key: with_operands(item, given) for key, item in argument.items()}
    return next(given) if is_operand(argument) else argument


def described(argument: Any) -> Any:
    """What of a further argument of f belongs to the path through f, as a value that later changes cannot reach.

    Of an operand this is its shape, also in a dict, and of everything else its content. Functions are told apart by
    identity; an object whose content cannot be read (by pickling it) equals nothing, so that f is traced again rather
    than taken for known.

    Examples
    --------
    >>> indices = [0, 1]
    >>> before = described(indices)
    >>> indices[:] = [2, 3]
    >>> before == described(indices)
    False
    """
    if type(argument) is dict:
        return dict, tuple((content(key), described(value)) for key, value in argument.items())
    return ("operand", np.shape(argument)) if is_operand(argument) else content(argument)


def content(argument: Any) -> Any:
    """What an object holds, as a value that equals that of another object with the same content."""
    kind = type(argument)
    if kind in _EXACT:
        return kind, argument
    if kind is float or kind is complex:
        return kind, np.complex128(argument).tobytes()  # -0.0 is not 0.0, and NaN is itself
    if isinstance(argument, np.generic):
        return kind, argument.tobytes()
    if kind is list or kind is tuple:
        return kind, tuple(map(content, argument))
    if kind is dict:
        return kind, tuple((content(key), content(value)) for key, value in argument.items())
    if (kind is np.ndarray or kind is np.memmap) and argument.dtype.kind != "O":
        order = () if argument.flags.c_contiguous else tuple(np.argsort(argument.strides, kind="stable").tolist())
        return "array", argument.dtype.str, argument.shape, order, argument.tobytes()
    return _pickled(argument)


_EXACT = frozenset([type(None), str, bytes, int, bool])
"""Subclasses may hold more than their value: these are pickled."""


def _pickled(argument: Any) -> Any:
    file = BytesIO()
    pickler = _Pickler(file)
    # Arrays of subclasses are pickled without their attributes.
    beside = dict(vars(argument)) if isinstance(argument, np.ndarray) and hasattr(argument, "__dict__") else None
    try:
        pickler.dump((argument, beside))
    except Exception:  # anything may be raised by a foreign __reduce__
        return "object", _Same(argument if isinstance(argument, FunctionType) else object())
    return type(argument), file.getvalue(), tuple(map(_Same, pickler.named))


_NAMED = (FunctionType, type, type(lru_cache(len)))


class _Pickler(pickle.Pickler):
    """Notes what is pickled by its name alone: functions and classes, which may be defined anew under it."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.named: list[Any] = []

    def persistent_id(self, obj: Any) -> None:
        """Note an object, and let it be pickled as always."""
        if isinstance(obj, _NAMED):
            self.named.append(obj)


_NUMBERS = count()


class _Same:
    """Equal to itself alone; keeps its object alive, so that no other one takes its identity."""

    def __init__(self, known: Any) -> None:
        self.known = known
        self._number = next(_NUMBERS)

    def __repr__(self) -> str:
        named = isinstance(self.known, _NAMED)
        return f"{type(self.known).__name__} {id(self.known)}" if named else f"object {self._number}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.known is self.known

    def __hash__(self) -> int:
        return id(self.known)
