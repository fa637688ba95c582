"""Functions written with CuPy: while f is followed, on the host, the module `cupy` is NumPy by the same names.

What f reaches under a name such as `cp`, or as a function that it has bound (``from cupy import exp``), is replaced for
the time of the trace. Arrays and sparse matrices on a device that f captured are read as copies on the host, constants
like all that f captures.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import scipy
from scipy import special

from sparsejac.tracing.base import is_traced
from sparsejac.tracing.registry import MODULES, STAND_INS
from sparsejac.tracing.trace import current_trace


class _Names:
    """A module of CuPy: in the thread that traces, NumPy's (or SciPy's) names; everywhere else its own.

    Parameters
    ----------
    module : module
        Of CuPy; kept, so that nothing else gets its identity.
    twin : module
        What has the same names on the host.
    own : mapping
        What it has alone: name -> takes these names, gives what stands for it.
    """

    def __init__(self, module: ModuleType, twin: Any, own: dict[str, Callable[[Any], Any]]) -> None:
        self._module = module
        self._twin = twin
        self._own = own

    def __getattr__(self, name: str) -> Any:
        trace = current_trace()
        if trace is None:
            return getattr(self._module, name)
        if name in self._own:
            return self._own[name](self)
        try:
            return getattr(self._twin, name)
        except AttributeError:
            raise trace.refusal(
                f"{self._module.__name__}.{name}",
                f"f is followed on the host, and {self._twin.__name__} has nothing of that name",
                _CURES.get(name, "write it with functions that NumPy has, too"),
            ) from None


_CURES = {
    "cuda": "choose devices and streams outside f, around the call",
    "get_default_memory_pool": "look after memory outside f",
}


class _Bound:
    """A function of CuPy that f has bound to a name of its own.

    Parameters
    ----------
    names : _Names
        Of its module.
    name : str
        In there.
    original : object
        Kept, so that nothing else gets its identity.
    """

    def __init__(self, names: _Names, name: str, original: Any) -> None:
        self._names = names
        self._name = name
        self._original = original

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._now()(*args, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now(), name)

    def _now(self) -> Any:
        return self._original if current_trace() is None else getattr(self._names, self._name)


def _standing_for(twin: Any, own: dict[str, Callable[[Any], Any]]) -> Callable[[ModuleType], dict[int, Any]]:
    """For a module and each of its functions, by identity, what stands for it."""

    def make(module: ModuleType) -> dict[int, Any]:
        names = _Names(module, twin, own)
        found: dict[int, Any] = {id(module): names}
        for name, value in list(vars(module).items()):
            is_known = name in own or hasattr(twin, name)
            if is_known and callable(value) and not isinstance(value, type) and value is not getattr(twin, name, None):
                found.setdefault(id(value), _Bound(names, name, value))
        return found

    return make


def _as_it_is(array: Any) -> Any:
    """`cupy.asnumpy`: f is on the host already."""
    return array if is_traced(array) else np.asarray(_copied(array))


def _copied(array: Any) -> Any:
    """An array or a sparse matrix on a device as one on the host."""
    return array.get() if hasattr(array, "get") else array


def _scatter(ufunc: np.ufunc) -> Callable[[Any], Any]:
    """`cupyx.scatter_add` and its like are methods of ufuncs in NumPy."""
    return lambda names: lambda a, slices, value: ufunc.at(a, slices, value)


_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "asnumpy": lambda names: _as_it_is,
    "get_array_module": lambda names: lambda *arrays: names,
}
_MORE: dict[str, Callable[[Any], Any]] = {
    "scatter_add": _scatter(np.add),
    "scatter_max": _scatter(np.maximum),
    "scatter_min": _scatter(np.minimum),
    "rsqrt": lambda names: lambda x: 1.0 / np.sqrt(x),
    "errstate": lambda names: np.errstate,
    "scipy": lambda names: _Names(names._module.scipy, scipy, _NONE),
}
_NONE: dict[str, Callable[[Any], Any]] = {}

for _module, _twin, _own in (
    ("cupy", np, _ARRAYS),
    ("cupy.linalg", np.linalg, _NONE),
    ("cupy.fft", np.fft, _NONE),
    ("cupyx", ModuleType("NumPy"), _MORE),
    ("cupyx.scipy", scipy, _NONE),
    ("cupyx.scipy.special", special, _NONE),
):
    MODULES[_module, ""] = _standing_for(_twin, _own)
STAND_INS["cupy", "ndarray"] = _copied
for _kind in ("csr", "csc", "coo", "dia"):
    STAND_INS[f"cupyx.scipy.sparse._{_kind}", f"{_kind}_matrix"] = _copied
