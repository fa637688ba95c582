"""Functions written with CuPy: while f is followed, on the host, the module `cupy` is NumPy by the same names.

What f reaches under a name such as `cp` is replaced for the time of the trace. Arrays on a device that f captured are
read as copies on the host, constants like all that f captures.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
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
    """

    def __init__(self, module: ModuleType, twin: Any) -> None:
        self._module = module
        self._twin = twin

    def __getattr__(self, name: str) -> Any:
        trace = current_trace()
        if trace is None:
            return getattr(self._module, name)
        if name in _OWN and self._twin is np:
            return _OWN[name](self)
        try:
            return getattr(self._twin, name)
        except AttributeError:
            raise trace.refusal(
                f"{self._module.__name__}.{name}",
                f"f is followed on the host, and {self._twin.__name__} has nothing of that name",
                "write it with functions that NumPy has, too",
            ) from None


def _as_it_is(array: Any) -> Any:
    """`cupy.asnumpy`: f is on the host already."""
    return array if is_traced(array) else np.asarray(_copied(array))


def _copied(array: Any) -> Any:
    """An array on a device as one on the host."""
    return array.get() if hasattr(array, "get") and hasattr(array, "device") else array


_OWN: dict[str, Callable[[Any], Any]] = {
    "asnumpy": lambda names: _as_it_is,
    "get_array_module": lambda names: lambda *arrays: names,
}
"""What CuPy has and NumPy has not."""

MODULES["cupy", ""] = lambda module: _Names(module, np)
MODULES["cupyx.scipy.special", ""] = lambda module: _Names(module, special)
STAND_INS["cupy", "ndarray"] = _copied
