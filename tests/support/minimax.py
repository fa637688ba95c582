"""The polynomials of `kernels.elementary`, found by Remez' exchange algorithm in 60 digits.

``python tests/support/minimax.py`` prints each table of coefficients as it stands in the sources, with the logarithm to
base 2 of its largest error. Source: E. Ya. Remez, Sur le calcul effectif des polynômes d'approximation de Tchebichef,
Comptes rendus 199 (1934), 337-340.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath as mp

mp.mp.dps = 60

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Approximation:
    """`function` on an interval by a polynomial of `degree`; the error is multiplied by `weight`."""

    function: Function
    low: float
    high: float
    degree: int
    weight: Function


def minimax(a: Approximation, turns: int = 8, grid: int = 1200) -> tuple[list[Any], float]:
    """Coefficients, constant first; and the largest weighted error before they are rounded to doubles."""
    low, high, count = mp.mpf(a.low), mp.mpf(a.high), a.degree + 2
    middle, half = (low + high) / 2, (high - low) / 2
    nodes = [middle - half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    points = [middle - half * mp.cos(mp.pi * i / grid) for i in range(1, grid)]
    exact = [(x, a.function(x), a.weight(x)) for x in points]
    for _ in range(turns):
        matrix, right = mp.matrix(count, count), mp.matrix(count, 1)
        for i, x in enumerate(nodes):
            for j in range(count - 1):
                matrix[i, j] = x**j
            matrix[i, count - 1] = (-1) ** i / a.weight(x)
            right[i] = a.function(x)
        solution = list(mp.lu_solve(matrix, right))
        errors = [(evaluated(solution[:-1], x) - value) * weight for x, value, weight in exact]
        nodes = _extremes(points, errors, count) or nodes
    return solution[:-1], float(max(abs(e) for e in errors))


def evaluated(coefficients: Sequence[Any], x: Any) -> Any:
    """The polynomial at x; the constant comes first."""
    total = mp.mpf(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def _extremes(points: list[Any], errors: list[Any], count: int) -> list[Any] | None:
    """The point of the largest error in each stretch of one sign; None if there are not `count` stretches."""
    best: list[int] = []
    for i, error in enumerate(errors):
        if best and (errors[best[-1]] > 0) == (error > 0):
            best[-1] = i if abs(error) > abs(errors[best[-1]]) else best[-1]
        else:
            best.append(i)
    while len(best) > count:
        best.pop(0 if abs(errors[best[0]]) < abs(errors[best[-1]]) else -1)
    return [points[i] for i in best] if len(best) == count else None


def _series(u: Any, terms: Function, ratio: Any, first: int) -> Any:
    """``sum(terms(n) * ratio**(n - first))`` for n from `first` on: functions with their first terms taken off."""
    total, power, n = mp.mpf(0), mp.mpf(1), first
    while n < 4000:
        step = terms(n) * power
        total += step
        if abs(step) < mp.mpf(10) ** -60 * abs(total) or (step == 0 and n > first):
            break
        power *= ratio
        n += 1
    return total


def _odd(terms: Function, first: int) -> Function:
    return lambda u: _series(u, terms, u, first)


HALF_LN2 = 0.34658
Z_OF_LOG = 0.17158**2

_asin_term = lambda n: mp.binomial(2 * n, n) / (mp.mpf(4) ** n * (2 * n + 1))  # noqa: E731

TAIL_CENTRE, SHORT_TAIL_CENTRE = 3.6875, 2.5


def _argument(t: Any, centre: float) -> Any:
    return centre * (1 + t) / (1 - t)


def _scale(t: Any, centre: float) -> Any:
    x = _argument(t, centre)
    return (x + centre) * mp.exp(x * x)


def _tail(t: Any, centre: float = TAIL_CENTRE) -> Any:
    return _scale(t, centre) * mp.erfc(_argument(t, centre))


def _error(u: Any) -> Any:
    return 2 / mp.sqrt(mp.pi) * _series(-u, lambda n: 1 / (mp.factorial(n) * (2 * n + 1)), -u, 0) - 1


APPROXIMATIONS: dict[str, Approximation] = {
    # (exp(r) - 1 - r) / r**2
    "EXPONENTIAL": Approximation(
        lambda r: _series(r, lambda n: 1 / mp.factorial(n), r, 2), -HALF_LN2, HALF_LN2, 10, lambda r: abs(r) + 0.02
    ),
    # (log((1 + z) / (1 - z)) / z - 2) / z**2 in z**2
    "LOGARITHM": Approximation(_odd(lambda n: mp.mpf(2) / (2 * n + 1), 1), 0.0, Z_OF_LOG, 6, lambda u: u + 1e-3),
    # the same without the term 2/3 z**3 (for powers)
    "LOGARITHM_REST": Approximation(
        _odd(lambda n: mp.mpf(2) / (2 * n + 1), 2), 0.0, Z_OF_LOG, 7, lambda u: u**2 + 1e-5
    ),
    # (sin(r) / r - 1) / r**2 and (cos(r) - 1 + r**2 / 2) / r**4 in r**2
    "SINE": Approximation(_odd(lambda n: (-1) ** n / mp.factorial(2 * n + 1), 1), 0.0, 0.6169, 5, lambda u: u + 1e-2),
    "COSINE": Approximation(_odd(lambda n: (-1) ** n / mp.factorial(2 * n), 2), 0.0, 0.6169, 5, lambda u: u**2 + 1e-2),
    # (sinh(r) / r - 1) / r**2 and (cosh(r) - 1) / r**2 in r**2, and the first once more up to 1
    "HYPERBOLIC_SINE": Approximation(
        _odd(lambda n: 1 / mp.factorial(2 * n + 1), 1), 0.0, 0.1202, 4, lambda u: u + 1e-2
    ),
    "HYPERBOLIC_COSINE": Approximation(_odd(lambda n: 1 / mp.factorial(2 * n), 1), 0.0, 0.1202, 5, lambda u: u + 1e-2),
    "SMALL_HYPERBOLIC_SINE": Approximation(
        _odd(lambda n: 1 / mp.factorial(2 * n + 1), 1), 0.0, 1.0, 6, lambda u: u + 1e-2
    ),
    # (arctan(z) / z - 1) / z**2 and (arcsin(z) / z - 1) / z**2 in z**2
    "ARCTANGENT": Approximation(_odd(lambda n: mp.mpf(-1) ** n / (2 * n + 1), 1), 0.0, 0.25, 11, lambda u: u + 1e-2),
    "ARCSINE": Approximation(_odd(_asin_term, 1), 0.0, 0.25, 12, lambda u: u + 1e-2),
    # erf(x) / x - 1 in x**2; (x + K) exp(x**2) erfc(x) in t = (x - K) / (x + K)
    "ERROR": Approximation(_error, 0.0, 0.25, 8, lambda u: 1),
    "TAIL": Approximation(_tail, -0.764, 0.764, 21, lambda t: 1 / _tail(t)),
    # the same up to 1, and beyond as exactly as 1 - erfc(x) needs it
    "LONG_ERROR": Approximation(_error, 0.0, 1.0, 11, lambda u: 1),
    "SHORT_TAIL": Approximation(
        lambda t: _tail(t, SHORT_TAIL_CENTRE), -0.4287, 0.412, 12, lambda t: 1 / _scale(t, SHORT_TAIL_CENTRE)
    ),
    # m**(-1/3) for a start
    "CUBE_ROOT": Approximation(lambda m: mp.cbrt(1 / m), 1.0, 2.0, 5, lambda m: mp.cbrt(m)),
}


def main() -> None:
    """Print all tables."""
    for name, approximation in APPROXIMATIONS.items():
        coefficients, error = minimax(approximation)
        print(f"# error 2**{float(mp.log(error, 2)):.1f}\n{name} = (")
        print("".join(f"    {float(c)!r},\n" for c in coefficients) + ")")
        print(f"{name}_LOW = {tuple(float(c - mp.mpf(float(c))) for c in coefficients[:3])}")


if __name__ == "__main__":
    main()
