"""The rows of the table of calls, one for each public callable of each module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

import numpy as np

from sparsejac.coverage import library_calls, plain_calls
from sparsejac.coverage.remarks import REMARKS
from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.base import SAME_AS_FUNCTIONS
from sparsejac.tracing.families import load_all
from sparsejac.tracing.math_routes import CMATH, MATH
from sparsejac.tracing.registry import CONVENTIONS, FUNCTIONS, LIBRARY, MAKERS, METHODS, REFUSALS, UFUNC_METHODS, UFUNCS
from sparsejac.tracing.routing import NUMPY_ROUTES
from sparsejac.tracing.scipy_rules.special import RULES
from sparsejac.tracing.scipy_rules.special_functions import STEPS

Status = Literal["supported", "refused", "no values", "unknown"]

MODULES = (
    "numpy", "numpy.ndarray", "numpy.ufunc", "numpy.linalg", "numpy.fft", "math", "cmath", "scipy.special",
    "scipy.linalg", "scipy.sparse", "scipy.sparse.linalg", "scipy.interpolate", "scipy.ndimage", "scipy.signal",
    "scipy.fft",
)  # fmt: skip
"""What is walked; `numpy.ndarray` and `numpy.ufunc` stand for their methods."""

_UFUNC_METHODS = ("at", "reduce", "accumulate", "reduceat", "outer")
_OWN = {"numpy.ndarray": np.ndarray, "numpy.ufunc": np.ufunc}
_INHERITED = frozenset(dir(object)) - {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__format__"}


@dataclass(frozen=True)
class Call:
    """One row.

    Parameters
    ----------
    module, name : str
    status : {"supported", "refused", "no values", "unknown"}
        "no values" is for what takes no values that could depend on x; "unknown" is a gap of the table.
    remark : str
        The convention of the derivative, or the reason of a refusal and the cure.
    same_as : str
        The earlier name of the same function, if this is another one.
    """

    module: str
    name: str
    status: Status
    remark: str = ""
    same_as: str = ""


def public_names(module: str) -> list[str]:
    """Names of the public callables of a module, or of the methods of a type."""
    if module == "numpy.ufunc":
        return list(_UFUNC_METHODS)
    owner = _owner(module)
    if module == "numpy.ndarray":
        return [n for n in dir(owner) if callable(getattr(owner, n)) and n not in _INHERITED]
    names = [n for n in dir(owner) if not n.startswith("_") and callable(getattr(owner, n))]
    return sorted([*names, "c_", "r_"]) if module == "numpy" else names


@cache
def calls() -> tuple[Call, ...]:
    """All rows, module by module."""
    load_all()
    return tuple(call for module in MODULES for call in _calls_of(module))


def _calls_of(module: str) -> Iterator[Call]:
    names = public_names(module)
    functions = {name: getattr(_owner(module), name) for name in names}
    for name, function in functions.items():
        status, remark = _status(module, name, function)
        yield Call(module, name, status, remark, "" if module in _OWN else _first_name(name, functions))


def _first_name(name: str, functions: dict[str, Any]) -> str:
    """Under which other name a function is counted; empty for the one that counts: its own, or the first."""
    function = functions[name]
    others = [other for other, its in functions.items() if its is function]
    own = getattr(function, "__name__", name)
    first = own if own in others else others[0]
    return "" if first == name else first


def _owner(module: str) -> Any:
    return _OWN.get(module) or import_module(module)


def _status(module: str, name: str, function: Any) -> tuple[Status, str]:
    made = _listed(library_calls.OBJECTS.get(module, {}), name)
    if made:
        return "supported", made
    refused = _entry(REFUSALS, function) or REFUSALS.get((module, name)) or _listed(_refused(module), name)
    if refused:
        return "refused", f"{refused[0]}; instead: {refused[1]}"
    reason = _listed(_without_values(module), name)
    if reason:
        return "no values", reason
    remark = _supported(module, name, function)
    return ("unknown", "") if remark is None else ("supported", remark)


def _supported(module: str, name: str, function: Any) -> str | None:
    """The remark on a call that is followed; None for any other."""
    if module == "numpy.ufunc":
        count = len({ufunc for ufunc, method in UFUNC_METHODS if method == name})
        return f"of {count} ufuncs"
    if module == "numpy.ndarray":
        same = name in SAME_AS_FUNCTIONS or (name in METHODS and hasattr(np, name))
        known = same or name in METHODS or (name.startswith("__") and hasattr(TracedArray, name))
        listed = name in plain_calls.THROUGH_OTHERS[module].split()
        return REMARKS.get(name) or _convention(getattr(np, name, None)) if known or listed else None
    if _entry(FUNCTIONS, function) or _entry(UFUNCS, function) or _has_ufunc_rule(function):
        return _convention(function) or (REMARKS.get(getattr(function, "__name__", name)) or REMARKS.get(name) or "")
    if module == "scipy.special" and name in RULES:
        return _constant_arguments(RULES[name])
    if name in _by_name(module) or (module, name) in LIBRARY or (module, name) in MAKERS:
        return CONVENTIONS.get((module, name), "")
    methods = any(place[0] == module and place[1].startswith(f"{name}.") for place in (*LIBRARY, *MAKERS))
    return "" if methods else None


def _constant_arguments(rules: Any) -> str:
    """Which arguments have no derivative, counted from 1."""
    row = rules[0] if isinstance(rules[0], tuple | list) else rules
    places = [str(k + 1) for k, rule in enumerate(row) if rule is None]
    return f"argument {' and '.join(places)} must not depend on x" if places else ""


def _by_name(module: str) -> Any:
    tables: dict[str, Any] = {
        "numpy": {*NUMPY_ROUTES, *plain_calls.THROUGH_OTHERS["numpy"].split()},
        "math": {*MATH, *plain_calls.THROUGH_OTHERS["math"].split()},
        "cmath": CMATH,
        "scipy.special": {*RULES, *STEPS},
    }
    return tables.get(module, ())


def _convention(function: Any) -> str:
    return _entry(CONVENTIONS, function) or ""


def _has_ufunc_rule(function: Any) -> bool:
    return isinstance(function, np.ufunc) and (function, "__call__") in UFUNC_METHODS


def _entry(table: dict[Any, Any], function: Any) -> Any:
    try:
        return table.get(function)
    except TypeError:  # not hashable
        return None


def _refused(module: str) -> dict[Any, str]:
    return {**plain_calls.REFUSED.get(module, {}), **library_calls.REFUSED.get(module, {})}


def _without_values(module: str) -> dict[Any, str]:
    return {**plain_calls.WITHOUT_VALUES.get(module, {}), **library_calls.WITHOUT_VALUES.get(module, {})}


def _listed(groups: dict[Any, str], name: str) -> Any:
    """The key of the group whose text lists a name."""
    return next((key for key, names in groups.items() if name in names.split()), None)
