"""What stands for ufuncs, and for the modules that hold them, while an f is run again that gives them lists.

NumPy hands nothing over where a ufunc gets lists or arrays of objects alone: of numbers it would make an array of
numbers, of traced ones it makes one of objects, which is computed with otherwise. Here an array is made of them first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import BuiltinMethodType, ModuleType
from typing import Any

import numpy as np

from sparsejac.tracing.base import SEQUENCES, owner
from sparsejac.tracing.conversion import as_array

_MODULES = frozenset(["numpy", "scipy", "scipy.special"])
_KEPT = 4096
"""Stand-ins are made once, as f may compare by ``is``; whoever makes more ufuncs than this does not."""


def packing(value: Any) -> Any:
    """What stands for a ufunc, one of its methods, or a module of ufuncs; None for everything else."""
    kind = type(value)
    is_method = kind is BuiltinMethodType and type(value.__self__) is np.ufunc
    if is_method or kind is np.ufunc or (kind is ModuleType and value.__name__ in _MODULES):
        return _stand_in(value)
    return None


@lru_cache(_KEPT)
def _stand_in(value: Any) -> Any:
    if type(value) is np.ufunc:
        return _Packing(value)
    return _Module(value) if type(value) is ModuleType else _packed_before(value)


class _Packing:
    """A ufunc that makes arrays of lists of traced numbers before it computes with them."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self._ufunc = ufunc
        self._call = _packed_before(ufunc)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return np.ufunc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ufunc, name)
        return _stand_in(found) if type(found) is BuiltinMethodType else found

    def __eq__(self, other: object) -> bool:
        return other is self._ufunc or (type(other) is _Packing and other._ufunc is self._ufunc)

    def __hash__(self) -> int:
        return hash(self._ufunc)


class _Module(ModuleType):
    """A module whose ufuncs take lists of traced numbers."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        stand_in = packing(found)
        return found if stand_in is None else stand_in

    def __dir__(self) -> list[str]:
        return dir(self._module)


def _packed_before(call: Callable[..., Any]) -> Callable[..., Any]:
    def packed(*args: Any, **kwargs: Any) -> Any:
        return call(*map(_packed, args), **kwargs)

    return packed


def _packed(argument: Any) -> Any:
    """An array of numbers in the place of a list, or of an array of objects, that holds traced ones."""
    if isinstance(argument, SEQUENCES) or (type(argument) is np.ndarray and argument.dtype.kind == "O"):
        trace = owner(argument)
        if trace is not None:
            trace.begin()
            return as_array(trace, argument)
    return argument
