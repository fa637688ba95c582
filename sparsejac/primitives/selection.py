"""Selections: one operand or another, point by point. Ties of max and min split evenly."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.primitives.primitive import Rule, elementwise
from sparsejac.primitives.term import Term


def _chosen(comparison: str, first: bool) -> Rule:
    """1 where the operand alone is chosen, 1/2 at a tie, 0 where the other one is."""

    def rule(y: Term, a: Term, b: Term) -> Term:
        this, other = (a, b) if first else (b, a)
        tie = a.call("equal", b)
        # A NaN operand is the value of maximum and minimum: it is then the chosen one.
        wins = this.call(comparison, other).call("logical_or", this.call("isnan"))
        return tie.call("select", 0.5, wins)

    return rule


def _chosen_not_nan(comparison: str, first: bool) -> Rule:
    """As `_chosen` for fmax and fmin, which pass a NaN operand over."""

    def rule(y: Term, a: Term, b: Term) -> Term:
        this, other = (a, b) if first else (b, a)
        tie = a.call("equal", b)
        wins = this.call(comparison, other).call("logical_or", other.call("isnan"))
        return tie.call("select", 0.5, wins)

    return rule


def _select(condition: npt.NDArray[Any], chosen: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.where(np.not_equal(condition, 0.0), chosen, other)


elementwise(
    "select",
    _select,
    "{1} if {0} != 0.0 else {2}",
    None,
    lambda y, c, a, b: c.call("select", 1.0, 0.0),
    lambda y, c, a, b: c.call("select", 0.0, 1.0),
    chooses=True,
)
elementwise(
    "maximum",
    np.maximum,
    "{0} if ({0} >= {1} or {0} != {0}) else {1}",
    _chosen("greater", True),
    _chosen("greater", False),
    symmetries=((0, 1),),
    chooses=True,
)
elementwise(
    "minimum",
    np.minimum,
    "{0} if ({0} <= {1} or {0} != {0}) else {1}",
    _chosen("less", True),
    _chosen("less", False),
    symmetries=((0, 1),),
    chooses=True,
)
elementwise(
    "fmax",
    np.fmax,
    "{0} if ({0} >= {1} or {1} != {1}) else {1}",
    _chosen_not_nan("greater", True),
    _chosen_not_nan("greater", False),
    symmetries=((0, 1),),
    chooses=True,
)
elementwise(
    "fmin",
    np.fmin,
    "{0} if ({0} <= {1} or {1} != {1}) else {1}",
    _chosen_not_nan("less", True),
    _chosen_not_nan("less", False),
    symmetries=((0, 1),),
    chooses=True,
)
elementwise(
    "copysign",
    np.copysign,
    "math.copysign({0}, {1})",
    lambda y, a, b: a.call("signbit").call("equal", b.call("signbit")).call("select", 1.0, -1.0),
    None,
)
