"""Newton's method from the standard starting points of published problems.

Moré, Garbow & Hillstrom, Testing unconstrained optimization software, ACM TOMS 7(1), 1981: numbers in its list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sparsejac import implicit
from sparsejac.implicit_functions.newton import Options, newton
from sparsejac.implicit_functions.ways import State, Ways
from sparsejac.signature import Signature

N = 10
MESH = np.arange(1, N + 1) / (N + 1.0)


def rosenbrock(x: Any) -> Any:
    return np.stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def powell_badly_scaled(x: Any) -> Any:
    return np.stack([1e4 * x[0] * x[1] - 1.0, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])


def helical_valley(x: Any) -> Any:
    angle = np.arctan2(x[1], x[0]) / (2.0 * np.pi)
    return np.stack([10.0 * (x[2] - 10.0 * angle), 10.0 * (np.hypot(x[0], x[1]) - 1.0), x[2]])


def brown_almost_linear(x: Any) -> Any:
    return np.concatenate([x[:-1] + np.sum(x) - (N + 1.0), np.prod(x)[None] - 1.0])


def boundary_values(x: Any) -> Any:
    v = np.concatenate([np.zeros(1), x, np.zeros(1)])
    return 2.0 * x - v[:-2] - v[2:] + (x + MESH + 1.0) ** 3 / (2.0 * (N + 1.0) ** 2)


def integral_equation(x: Any) -> Any:
    cubes = (x + MESH + 1.0) ** 3
    kernel = np.minimum(MESH[:, None], MESH) * (1.0 - np.maximum(MESH[:, None], MESH))
    return x + kernel @ cubes / (2.0 * (N + 1.0))


def trigonometric(x: Any) -> Any:
    return N - np.sum(np.cos(x)) + np.arange(1.0, N + 1.0) * (1.0 - np.cos(x)) - np.sin(x)


def variably_dimensioned(x: Any) -> Any:
    i = np.arange(1.0, N + 1.0)
    s = np.sum(i * (x - 1.0))
    return x - 1.0 + i * (s + 2.0 * s**3)


def broyden_tridiagonal(x: Any) -> Any:
    v = np.concatenate([np.zeros(1), x, np.zeros(1)])
    return (3.0 - 2.0 * x) * x - v[:-2] - 2.0 * v[2:] + 1.0


PROBLEMS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "1 Rosenbrock": (rosenbrock, [-1.2, 1.0], [1.0, 1.0]),
    "3 Powell, badly scaled": (powell_badly_scaled, [0.0, 1.0], [1.098159e-5, 9.106146738]),
    "7 helical valley": (helical_valley, [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
    "25 variably dimensioned": (variably_dimensioned, 1.0 - np.arange(1.0, N + 1.0) / N, np.ones(N)),
    "26 trigonometric": (trigonometric, np.full(N, 1.0 / N), None),
    "27 Brown, almost linear": (brown_almost_linear, np.full(N, 0.5), None),
    "28 boundary values": (boundary_values, MESH * (MESH - 1.0), None),
    "29 integral equation": (integral_equation, MESH * (MESH - 1.0), None),
    "30 Broyden, tridiagonal": (broyden_tridiagonal, np.full(N, -1.0), None),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_standard_starting_points(name: str) -> None:
    f, start, root = PROBLEMS[name]
    found = implicit(lambda x: f(x))(np.array(start))
    np.testing.assert_allclose(f(found), 0.0, atol=1e-10)
    if root is not None:
        np.testing.assert_allclose(found, root, rtol=1e-6, atol=1e-10)


def test_valleys_of_the_residual() -> None:
    """The norm of the residual has a valley in which its decrease stalls; Newton's correction leads out of it."""
    p = np.linspace(0.0, 1.0, 10)

    def cells(x: Any) -> Any:
        return np.concatenate([x[:5] - np.cos(x[5:]) - p[:5], x[5:] + 0.5 * x[:5] ** 2 - p[5:]])

    np.testing.assert_allclose(cells(implicit(cells)(np.zeros(10))), 0.0, atol=1e-12)


@pytest.mark.parametrize("start", [0.5, 1.2, 3.0, -40.0, 1e6])
def test_iterates_are_those_of_a_plain_newtons_method_with_halved_steps(start: float) -> None:
    """The residual is what decides how far a step goes, as in a loop that is written down here."""
    asked: list[float] = []

    def state_at(x: Any) -> State:
        asked.append(float(x[0]))
        return ways.state(x, np.empty(0))

    bound = Signature("implicit", np.arctan, 0).checked().bind("implicit", (np.array([start]),), {}, frozen=True)
    ways = Ways(1, (), bound)
    found = newton("implicit", state_at, np.array([start]), Options())
    x, expected = start, [start]
    while x:
        step, part = -np.arctan(x) * (1.0 + x * x), 1.0
        while True:
            expected.append(x + part * step)
            if abs(np.arctan(expected[-1])) <= (1.0 - 1e-4 * part) * abs(np.arctan(x)):
                break
            part *= 0.5
        x = expected[-1]
        if abs(part * step) < 1e-20:
            break
    assert abs(found.x[0]) < 1e-18
    count = min(len(asked), len(expected))
    assert count > 4
    np.testing.assert_allclose(asked[:count], expected[:count], rtol=1e-6, atol=1e-12)
    assert max(np.abs(asked[count:]), default=0.0) < 1e-12


def test_a_singular_jacobian_on_the_way_is_passed_by() -> None:
    """Newton's step does not exist at the guess, where both rows are (1, 1); that of least squares does."""

    def f(x: Any, p: Any) -> Any:
        return np.stack([x[0] ** 2 + x[1] - p[0], x[0] + x[1] ** 2 - p[1]])

    found = implicit(f)(np.full(2, 0.5), np.array([3.0, 5.0]))
    np.testing.assert_allclose(f(found, np.array([3.0, 5.0])), 0.0, atol=1e-12)
