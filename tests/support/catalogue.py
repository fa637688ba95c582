"""Whole plain-NumPy functions as users write them, in one tuple."""

from __future__ import annotations

import cases_buffers
import cases_complex
import cases_elementwise
import cases_indexing
import cases_linear
import cases_loops
import cases_models
import cases_reductions
import cases_shapes
from cases import Case

_MODULES = (
    cases_elementwise,
    cases_indexing,
    cases_buffers,
    cases_shapes,
    cases_reductions,
    cases_linear,
    cases_complex,
    cases_loops,
    cases_models,
)

CASES: tuple[Case, ...] = tuple(case for module in _MODULES for case in module.collect.cases)


def named(name: str) -> Case:
    """Give the case of that name.

    Examples
    --------
    >>> named("bratu").shape
    (25,)
    """
    return next(case for case in CASES if case.name == name)
