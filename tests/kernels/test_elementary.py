"""Values of the elementary functions of compiled kernels: against mpmath, at special points, one element at a time."""

from __future__ import annotations

import math
from math import inf, nan, pi

import mpmath as mp
import numpy as np
import pytest

from elementary_oracle import BINARY, LARGEST_ERROR, compiled, errors, evaluate, points
from kernels.elementary import circular, error, exponential, hyperbolic, inverse, logarithm, power
from kernels.elementary.functions import FUNCTIONS
from minimax import APPROXIMATIONS, evaluated

FAMILIES = (circular, error, exponential, hyperbolic, inverse, logarithm, power)

every_function = pytest.mark.parametrize("name", list(FUNCTIONS))

ODD = ("expm1", "log1p", "sin", "tan", "sinh", "tanh", "asin", "atan", "cbrt", "erf")
TINY = 5e-324
HUGE = 1.7976931348623157e308

# Operands and the exact result: C99, F.9 (and what follows from its rules for the functions that it does not know).
SPECIAL: dict[str, list[tuple[float, ...]]] = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (-inf, 0.0), (inf, inf), (710.0, inf), (-746.0, 0.0), (-745.0, TINY)],
    "exp2": [(-0.0, 1.0), (-inf, 0.0), (inf, inf), (1024.0, inf), (-1074.0, TINY), (-1076.0, 0.0), (10.0, 1024.0)],
    "expm1": [(-inf, -1.0), (inf, inf), (710.0, inf), (-60.0, -1.0), (-TINY, -TINY)],
    "log": [(0.0, -inf), (-0.0, -inf), (1.0, 0.0), (-1.0, nan), (-inf, nan), (-TINY, nan), (inf, inf)],
    "log2": [(0.0, -inf), (-0.0, -inf), (1.0, 0.0), (-1.0, nan), (inf, inf), (8.0, 3.0), (TINY, -1074.0)],
    "log10": [(0.0, -inf), (-0.0, -inf), (1.0, 0.0), (-1.0, nan), (inf, inf), (1000.0, 3.0), (1e22, 22.0)],
    "log1p": [(-1.0, -inf), (-2.0, nan), (inf, inf), (-inf, nan), (TINY, TINY)],
    "sin": [(inf, nan), (-inf, nan), (TINY, TINY)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan), (TINY, 1.0)],
    "tan": [(inf, nan), (-inf, nan), (TINY, TINY)],
    "sinh": [(-inf, -inf), (inf, inf), (711.0, inf), (-HUGE, -inf), (TINY, TINY)],
    "cosh": [(0.0, 1.0), (-0.0, 1.0), (-inf, inf), (inf, inf), (-711.0, inf), (HUGE, inf)],
    "tanh": [(inf, 1.0), (-inf, -1.0), (20.0, 1.0), (HUGE, 1.0), (TINY, TINY)],
    "tanh_slope": [(0.0, 1.0), (-0.0, 1.0), (inf, 0.0), (-inf, 0.0), (HUGE, 0.0)],
    "tan_slope": [(0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan), (TINY, 1.0)],
    "asin_slope": [(0.0, 1.0), (-0.0, 1.0), (1.0, inf), (-1.0, inf), (1.0000000000000002, nan), (-inf, nan)],
    "atan_slope": [(0.0, 1.0), (-0.0, 1.0), (inf, 0.0), (-inf, 0.0), (1.0, 0.5), (HUGE, 0.0), (2.0**537, TINY)],
    "cbrt_slope": [(0.0, inf), (-0.0, inf), (inf, 0.0), (-inf, 0.0), (-8.0, 1 / 12), (1.0, 1 / 3)],
    "erf_slope": [(0.0, 2 / math.sqrt(pi)), (-0.0, 2 / math.sqrt(pi)), (inf, 0.0), (-inf, 0.0), (HUGE, 0.0)],
    "logistic_slope": [(0.0, 0.25), (-0.0, 0.25), (inf, 0.0), (-inf, 0.0), (800.0, 0.0), (-745.0, TINY)],
    "logistic": [(0.0, 0.5), (-0.0, 0.5), (inf, 1.0), (-inf, 0.0), (40.0, 1.0), (-746.0, 0.0)],
    "softplus": [(inf, inf), (-inf, 0.0), (HUGE, HUGE), (-746.0, 0.0), (40.0, 40.0)],
    "asin": [(1.0, pi / 2), (-1.0, -pi / 2), (1.0000000000000002, nan), (-inf, nan), (TINY, TINY)],
    "acos": [(1.0, 0.0), (-1.0, pi), (0.0, pi / 2), (1.0000000000000002, nan), (inf, nan)],
    "atan": [(inf, pi / 2), (-inf, -pi / 2), (1.0, pi / 4), (TINY, TINY)],
    "cbrt": [(inf, inf), (-inf, -inf), (27.0, 3.0), (-0.125, -0.5)],
    "erf": [(inf, 1.0), (-inf, -1.0), (HUGE, 1.0), (6.0, 1.0)],
    "erfc": [(inf, 0.0), (-inf, 2.0), (0.0, 1.0), (-0.0, 1.0), (HUGE, 0.0), (-6.0, 2.0)],
    "atan2": [
        (0.0, -0.0, pi), (-0.0, -0.0, -pi), (0.0, 0.0, 0.0), (-0.0, 0.0, -0.0), (0.0, -1.0, pi), (-0.0, -1.0, -pi),
        (0.0, 1.0, 0.0), (-0.0, 1.0, -0.0), (-1.0, 0.0, -pi / 2), (1.0, -0.0, pi / 2), (1.0, -inf, pi),
        (-1.0, -inf, -pi), (1.0, inf, 0.0), (-1.0, inf, -0.0), (inf, 1.0, pi / 2), (-inf, -1.0, -pi / 2),
        (inf, -inf, 3 * pi / 4), (-inf, -inf, -3 * pi / 4), (inf, inf, pi / 4), (-inf, inf, -pi / 4),
        (nan, 1.0, nan), (1.0, nan, nan), (inf, nan, nan), (HUGE, HUGE, pi / 4), (TINY, TINY, pi / 4),
        (TINY, HUGE, 0.0), (HUGE, TINY, pi / 2), (TINY, 1.0, TINY), (TINY, -1.0, pi),
    ],
    "atan2_slope": [
        (0.0, 0.0, nan), (1.0, 0.0, 1.0), (-0.0, 1.0, -0.0), (0.0, -2.0, 0.0), (-2.0, 0.0, -0.5), (3.0, 4.0, 0.12),
        (inf, 1.0, 0.0), (-inf, inf, -0.0), (1.0, -inf, 0.0), (-1.0, inf, -0.0), (nan, 1.0, nan), (1.0, nan, nan),
        (inf, nan, nan), (nan, inf, nan), (TINY, 0.0, inf), (HUGE, 0.0, 1 / HUGE), (2.0**-500, 2.0**-500, 2.0**499),
    ],
    "pow_slope": [
        (0.0, 1.0, 1.0), (0.0, 2.0, 0.0), (-0.0, 2.0, -0.0), (0.0, 0.5, inf), (-0.0, -3.0, -inf), (-0.0, -2.0, inf),
        (3.0, 2.0, 6.0), (-2.0, 3.0, 12.0), (-2.0, 0.5, nan), (7.0, 1.0, 1.0), (nan, 1.0, 1.0), (nan, 2.0, nan),
        (2.0, nan, nan), (1.0, 5.5, 5.5), (1.0, inf, inf), (inf, 3.0, inf), (inf, -1.0, -0.0), (0.5, inf, nan),
        (2.0, 0.0, 0.0), (2.0, -1.0, -0.25), (0.0, 0.0, nan), (0.0, 1e300, 0.0), (0.0, 1e-300, inf), (4.0, 0.5, 0.25),
    ],
    "pow": [
        (0.0, -3.0, inf), (-0.0, -3.0, -inf), (-0.0, -2.0, inf), (0.0, -0.5, inf), (-0.0, -inf, inf),
        (-0.0, 3.0, -0.0), (0.0, 3.0, 0.0), (-0.0, 2.0, 0.0), (-0.0, 0.5, 0.0), (-1.0, inf, 1.0), (-1.0, -inf, 1.0),
        (1.0, nan, 1.0), (1.0, inf, 1.0), (nan, 0.0, 1.0), (inf, -0.0, 1.0), (0.0, 0.0, 1.0), (-2.0, 0.5, nan),
        (0.5, -inf, inf), (2.0, -inf, 0.0), (0.5, inf, 0.0), (-2.0, inf, inf), (-inf, -3.0, -0.0), (-inf, -2.0, 0.0),
        (-inf, 3.0, -inf), (-inf, 0.5, inf), (inf, -1.0, 0.0), (inf, 0.5, inf), (nan, 1.0, nan), (2.0, nan, nan),
        (-1.0, nan, nan), (-2.0, 3.0, -8.0), (-2.0, 2.0**53, inf), (-3.0, -1e300, 0.0), (3.0, 2.0, 9.0),
        (10.0, 22.0, 1e22), (2.0, -1074.0, TINY), (-2.0, -1073.0, -1e-323), (TINY, 1.0, TINY), (HUGE, 1.0, HUGE),
        (HUGE, 2.0, inf), (1.0000000000000002, 1e300, inf), (0.25, 0.5, 0.5), (7.0, -0.0, 1.0), (-inf, nan, nan),
    ],
}  # fmt: skip


@every_function
def test_no_value_is_off_by_more_than_the_stated_error(name: str) -> None:
    x, y = points(name, 4000)
    found = errors(name, x, y)
    worst = int(np.argmax(found))
    assert found[worst] <= LARGEST_ERROR, (x[worst], y[worst])


@every_function
def test_special_values_are_those_of_the_standard(name: str) -> None:
    cases = np.array([*SPECIAL[name], *([] if name in BINARY else [(nan, nan)])])
    found = evaluate(name, cases[:, 0], cases[:, -2])
    for operands, value, expected in zip(cases[:, :-1].tolist(), found.tolist(), cases[:, -1].tolist(), strict=True):
        assert value == expected or (math.isnan(value) and math.isnan(expected)), (operands, value)
        assert math.isnan(expected) or math.copysign(1.0, value) == math.copysign(1.0, expected), (operands, value)


@pytest.mark.parametrize("name", ODD)
def test_odd_functions_keep_the_sign_of_zero_and_what_is_close_to_it(name: str) -> None:
    x = np.array([0.0, -0.0, TINY, -TINY, 3e-310, -3e-310])
    found = evaluate(name, x)
    assert np.signbit(found).tolist() == np.signbit(x).tolist()
    assert found[:2].tolist() == [0.0, 0.0]
    if name not in ("expm1", "log1p"):
        both = evaluate(name, np.linspace(-3.0, 3.0, 121)), evaluate(name, np.linspace(3.0, -3.0, 121))
        np.testing.assert_array_equal(*np.stack([both[0], -both[1]]))


@every_function
def test_an_element_does_not_depend_on_its_neighbours(name: str) -> None:
    """Vectors, what is left over, and a vector with an element that takes the rare way."""
    x, y = points(name, 300)
    whole = evaluate(name, x, y)
    for length in (1, 3, 7):
        pieces = [evaluate(name, x[k : k + length], y[k : k + length]) for k in range(0, len(x), length)]
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_arguments_of_any_size_are_reduced_exactly(name: str) -> None:
    """6381956970095103 * 2**797 is the double closest to a multiple of pi/2."""
    hard = [math.ldexp(6381956970095103, 797), math.ldexp(5319372648326541, 202), math.ldexp(-7881299347898368, -1)]
    x = np.array([*hard, 1.0, 2.0**30, -(2.0**30), 1e22, -1e300, HUGE, 0.5])
    assert errors(name, x, x, digits=400).max() <= 1.0


@pytest.mark.parametrize("name", list(APPROXIMATIONS))
def test_the_polynomials_are_as_good_as_needed(name: str) -> None:
    """The tables in the sources against the functions that they stand for, in exact arithmetic."""
    (table,) = {getattr(module, name) for module in FAMILIES if hasattr(module, name)}
    target = APPROXIMATIONS[name]
    with mp.workdps(40):
        for x in (mp.mpf(v) for v in np.linspace(target.low, target.high, 97)[1:-1]):
            error = (evaluated(table, x) - target.function(x)) * target.weight(x)
            assert abs(error) < (2.0**-16 if name == "CUBE_ROOT" else 2.0**-52.5 if name == "TAIL" else 2.0**-54.5)


PAIRS = {
    "sine and cosine": ("elementary.sin(x)", "elementary.cos(x)"),
    "tanh and its slope": ("elementary.tanh(x)", "elementary.tanh_slope(x)"),
    "sinh and cosh": ("elementary.sinh(x)", "elementary.cosh(x)"),
    "a power and the next lower one": ("elementary.pow(x, y)", "elementary.pow(x, y - 1.0)"),
    "expm1 and exp": ("elementary.expm1(x)", "elementary.exp(x)"),
}
IDENTITIES = {
    "sine and cosine": lambda x, s, c: (s * s + c * c, 1.0),
    "tanh and its slope": lambda x, t, d: (t * t + d, 1.0),
    "sinh and cosh": lambda x, s, c: ((c - s) * (c + s) / (c * c + s * s), 1.0 / np.cosh(2.0 * x)),
    "a power and the next lower one": lambda x, p, q: (q * x / p, 1.0),
    "expm1 and exp": lambda x, m, e: (e - m, 1.0),
}


@pytest.mark.parametrize("pair", list(PAIRS))
def test_a_function_and_its_derivative_agree_where_they_share_work(pair: str) -> None:
    """Together they give the bits that each gives alone, and the identity between them holds."""
    x = np.random.default_rng(5).uniform(0.01, 3.0, 1001)
    y = np.linspace(-4.0, 4.0, 1001)
    together = np.empty((2, len(x)))
    compiled(*PAIRS[pair])(x, y, together)
    for expression, found in zip(PAIRS[pair], together, strict=True):
        alone = np.empty((1, len(x)))
        compiled(expression)(x, y, alone)
        np.testing.assert_array_equal(found, alone[0])
    found, expected = IDENTITIES[pair](x, *together)
    np.testing.assert_allclose(
        found, expected * np.ones_like(x), rtol=2e-14 if "sinh" not in pair else 1e-11, atol=1e-14
    )
