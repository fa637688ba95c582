"""First partial derivatives of the elementary functions, as compiled kernels give them, beside mpmath's."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from elementary_oracle import LARGEST_ERROR, Array, compiled, evaluate, points, units
from kernels import Kernel, KernelBuilder
from sparsejac.primitives import PRIMITIVES
from sparsejac.schedules.partials import linearized

COUNT = 160

# The function whose points are taken, and the partial by each operand; None where no bound is held.
EXACT: dict[str, tuple[Any, ...]] = {
    "exp": ("exp", mp.exp),
    "exp2": ("exp2", lambda x: mp.log(2) * mp.mpf(2) ** x),
    "expm1": ("expm1", mp.exp),
    "log": ("log", lambda x: 1 / x),
    "log2": ("log2", lambda x: 1 / (x * mp.log(2))),
    "log10": ("log10", lambda x: 1 / (x * mp.log(10))),
    "log1p": ("log1p", lambda x: 1 / (1 + x)),
    "sin": ("sin", mp.cos),
    "cos": ("cos", lambda x: -mp.sin(x)),
    "tan": ("tan", lambda x: mp.sec(x) ** 2),
    "sinh": ("sinh", mp.cosh),
    "cosh": ("cosh", mp.sinh),
    "tanh": ("tanh", lambda x: mp.sech(x) ** 2),
    "arcsin": ("asin_slope", lambda x: 1 / mp.sqrt(1 - x * x)),
    "arccos": ("asin_slope", lambda x: -1 / mp.sqrt(1 - x * x)),
    "arctan": ("atan", lambda x: 1 / (1 + x * x)),
    "arctan2": ("atan2", lambda a, b: b / (a * a + b * b), lambda a, b: -a / (a * a + b * b)),
    "power": ("pow_slope", lambda x, p: p * mp.power(x, p - 1), None),
    "sqrt": ("log", lambda x: 1 / (2 * mp.sqrt(x))),
    "cbrt": ("cbrt", lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2)),
    "erf": ("erf_slope", lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "erfc": ("erf_slope", lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "logistic": ("logistic_slope", lambda x: mp.sech(x / 2) ** 2 / 4),
    "softplus": ("logistic", lambda x: 1 / (1 + mp.exp(-x))),
}
LARGER = {"exp2": 2.0}


def written(kernel: Kernel, value: int) -> str:
    """A value of a kernel as text to be compiled."""
    if value < kernel.loads:
        return "xy"[value]
    made = kernel.instructions[value - kernel.loads]
    if made.operation is None:
        return repr(made.literal)
    return f"({made.operation.code.format(*(written(kernel, operand) for operand in made.operands))})"


def partials(name: str, operands: tuple[Array, ...]) -> Array:
    """The partial derivatives of a primitive, one row each, by a compiled loop."""
    builder, active = KernelBuilder(len(operands)), tuple(range(len(operands)))
    kernel = linearized(builder.build(builder.apply(PRIMITIVES[name].operation, *active)), active)
    out = np.empty((len(operands), COUNT))
    compiled(*(written(kernel, value) for value in kernel.outputs[1:]))(operands[0], operands[-1], out)
    return out


@pytest.mark.parametrize("name", list(EXACT))
def test_no_partial_is_off_by_more_than_the_stated_error(name: str) -> None:
    source, *partial_derivatives = EXACT[name]
    operands = tuple(np.resize(o, COUNT) for o in points(source, COUNT)[: len(partial_derivatives)])
    for exact, found in zip(partial_derivatives, partials(name, operands), strict=True):
        if exact is None:
            continue
        with mp.workdps(60):
            rows = zip(*(o.tolist() for o in operands), strict=True)
            errors = [units(exact(*map(mp.mpf, r)), f) for r, f in zip(rows, found.tolist(), strict=True)]
        worst = int(np.argmax(errors))
        assert errors[worst] <= LARGER.get(name, LARGEST_ERROR), [o[worst] for o in operands]


@pytest.mark.parametrize("p", [0.3, -0.3, -1.7, 1e-3, -37.25])
def test_the_exponent_of_the_slope_of_a_power_is_not_rounded(p: float) -> None:
    """p - 1 is no double: its rounding alone would cost hundreds of ulps where the logarithm of x is large."""
    x = np.exp2(np.linspace(-20.0, 20.0, 41) * min(1.0 / abs(p - 1.0), 40.0))
    found = evaluate("pow_slope", x, np.full(41, p)).tolist()
    with mp.workdps(60):
        exact = [mp.mpf(p) * mp.power(mp.mpf(v), mp.mpf(p) - 1) for v in x.tolist()]
        assert max(units(e, f) for e, f in zip(exact, found, strict=True)) <= LARGEST_ERROR
        numpy = PRIMITIVES["power_slope"].operation.evaluate(x, np.full(41, p)).tolist()
        assert max(units(e, f) for e, f in zip(exact, numpy, strict=True)) <= 3.0
