"""Realistic whole functions of many fields, in one tuple."""

from __future__ import annotations

import practice_chemistry
import practice_circuits
import practice_control
import practice_fem
import practice_filters
import practice_finance
import practice_fitting
import practice_mechanics
import practice_numerics
import practice_pde
from cases import Case

_MODULES = (
    practice_pde,
    practice_fem,
    practice_chemistry,
    practice_mechanics,
    practice_circuits,
    practice_finance,
    practice_filters,
    practice_fitting,
    practice_control,
    practice_numerics,
)

PRACTICE: tuple[Case, ...] = tuple(case for module in _MODULES for case in module.collect.cases)
