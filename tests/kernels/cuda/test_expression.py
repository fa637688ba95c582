"""Python's expressions as C: what is taken over, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emulated import emulator, same_bits
from kernels.cuda.elementary import definitions
from kernels.cuda.expression import UnsupportedError, expression, function, literal, symbol
from kernels.cuda.printer import preamble
from kernels.llvm.library import WRITTEN, written

NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 0.1, -0.3, 7.0, 1e-300, 5e-324, -1e300, np.inf, -np.inf, np.nan)


def evaluate(text: str, functions: list[str], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """An expression of a and b at all points."""
    body = f"for (u32 t = 0; t < n; ++t) {{ const double a = x[t], b = y[t]; (void)b; z[t] = {text}; }}"
    kernel = f'extern "C" __global__ void at(const double *x, const double *y, double *z, u32 n) {{ {body} }}\n'
    device = emulator()
    at = device.load("\n".join([preamble("float64"), *functions, kernel]), ["at"])["at"]
    out = np.empty(len(a))
    device.launch(at, 1, 1, [a, b, out, np.uint32(len(a))])
    return out


def pairs() -> tuple[np.ndarray, np.ndarray]:
    first, second = (grid.ravel() for grid in np.meshgrid(NUMBERS, NUMBERS))
    return first.copy(), second.copy()


@pytest.mark.parametrize(
    "number", [0.1, -0.0, 1e-300, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 3.0]
)
def test_literals_are_exact(number: float) -> None:
    a, b = pairs()
    assert same_bits(evaluate(literal(number), [], a, b), np.full(len(a), number))


EXPRESSIONS = (
    "{0} - ({1} - {0}) * -{1} / 3",
    "{0} if {0} > {1} or {1} != {1} else -{1}",
    "1.0 if not ({0} <= {1}) and {0} >= 0.0 else 0.0",
    "abs({0}) + math.copysign(1.0, {1}) + np.floor({0}) + math.pi",
    "1.0 if math.isinf({0}) else (2.0 if math.isnan({1}) else (3.0 if math.isfinite({0}) else 4.0))",
    "np.float64(np.float32({0})) + np.inf * 0.0 if {1} == 1.0 else {0}",
    "math.fmod({0}, {1})",
)


@pytest.mark.parametrize("code", EXPRESSIONS)
def test_expressions_are_those_of_python(code: str) -> None:
    a, b = pairs()
    text, needed = expression(code, ["a", "b"])
    assert not needed
    program = compile(code.format("a", "b"), "", "eval")
    safe = {"math": _Safe, "np": np}
    with np.errstate(all="ignore"):
        expected = [float(eval(program, safe, {"a": p, "b": q})) for p, q in zip(a, b, strict=True)]
    assert same_bits(evaluate(text, [], a, b), expected)


class _Safe:
    """The math module, without errors."""

    pi, copysign, isinf, isnan, isfinite = math.pi, math.copysign, math.isinf, math.isnan, math.isfinite
    fmod = staticmethod(np.fmod)


@pytest.mark.parametrize("name", ["%", "//", "np.sign", "np.logaddexp"])
def test_functions_in_the_language_are_printed_too(name: str) -> None:
    a, b = pairs()
    text, needed = function(name)
    assert not needed
    arity = written(name)[1]
    call = f"{symbol(name)}({', '.join('ab'[:arity])})"
    with np.errstate(all="ignore"):
        expected = {
            "%": lambda: WRITTEN["%"],
            "//": lambda: WRITTEN["//"],
            "np.sign": lambda: np.sign,
            "np.logaddexp": lambda: np.logaddexp,
        }[name]()
        numbers = [a, b][:arity]
        found = evaluate(call, [text], a, b)
        wanted = np.array([float(expected(*(np.float64(n) for n in row))) for row in zip(*numbers, strict=True)])
    np.testing.assert_allclose(found, wanted, rtol=1e-15 if name == "np.logaddexp" else 0.0)


@pytest.mark.parametrize(
    "code",
    [
        "{0} ** 2",
        "unknown({0})",
        "math.gamma({0})",
        "{0} < {0} < 1.0",
        "min({0}, 1.0)",
        "[{0}]",
        "{0} @ {0}",
        "'text'",
        "True",
    ],
)
def test_what_is_not_in_the_language_is_refused(code: str) -> None:
    with pytest.raises(UnsupportedError):
        expression(code, ["a"])


def test_an_unknown_elementary_function_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"elementary\.gamma"):
        definitions("elementary.gamma")
