"""SciPy's root finders: equations inside f, differentiated by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from kernels.lazy import load
from sparsejac.tracing.registry import CONVENTIONS, MAKERS
from sparsejac.tracing.trace import current_trace

NAMES = (
    *("root", "root_scalar", "fsolve", "brentq", "brenth", "ridder", "bisect", "toms748", "newton", "fixed_point"),
    *("broyden1", "broyden2", "newton_krylov", "anderson", "diagbroyden", "linearmixing", "excitingmixing"),
)
"""Functions that find roots."""

_CONVENTION = "that of the root, by the implicit function theorem; none by the guess and the bracket"


def _root_finder(original: Callable[..., Any]) -> Callable[..., Any]:
    """A function that solves equations: followed where these depend on x, in arguments or in what they capture."""

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return original(*args, **kwargs)
        return load("sparsejac.implicit_functions.scipy_roots").root_of(trace, original, args, kwargs)

    return route


for _name in NAMES:
    MAKERS["scipy.optimize", _name] = _root_finder
    CONVENTIONS["scipy.optimize", _name] = _CONVENTION
