"""What of a tangent passes through a selection: the linear part of maximum and its kin, as one operation.

Written as a product with a partial derivative of 0, 1/2 or 1, a tangent that is infinite or NaN would not be kept out
by the zero. Here it is, and the choice costs one operation. All of these are linear in their first operand, the
tangent (or, transposed, the cotangent); the second one is the operand that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.primitives.primitive import Rule, elementwise

PASSING = {name: f"pass_{name}" for name in ("maximum", "minimum", "fmax", "fmin", "copysign")}
"""A primitive -> what passes a tangent of one of its operands on."""


def _passing(name: str, code: str, chosen: Callable[[Any, Any], Any]) -> None:
    def evaluate(t: Any, this: Any, other: Any) -> Any:
        return np.where(np.equal(this, other), 0.5 * t, np.where(chosen(this, other), t, 0.0))

    elementwise(
        name,
        evaluate,
        f"0.5 * {{0}} if {{1}} == {{2}} else ({{0}} if {code} else 0.0)",
        _by_tangent(name),
        None,
        None,
        chooses=True,
    )


def _by_tangent(name: str) -> Rule:
    return lambda y, t, this, other: t.lift(1.0).call(name, this, other)


def _turned(t: Any, magnitude: Any, sign: Any) -> Any:
    return np.where(np.signbit(magnitude) == np.signbit(sign), t, np.negative(t))


_passing("pass_maximum", "{1} > {2} or {1} != {1}", lambda a, b: (a > b) | np.isnan(a))
_passing("pass_minimum", "{1} < {2} or {1} != {1}", lambda a, b: (a < b) | np.isnan(a))
_passing("pass_fmax", "{1} > {2} or {2} != {2}", lambda a, b: (a > b) | np.isnan(b))
_passing("pass_fmin", "{1} < {2} or {2} != {2}", lambda a, b: (a < b) | np.isnan(b))
elementwise(
    "pass_copysign",
    _turned,
    "{0} if (math.copysign(1.0, {1}) < 0.0) == (math.copysign(1.0, {2}) < 0.0) else -{0}",
    _by_tangent("pass_copysign"),
    None,
    None,
)
