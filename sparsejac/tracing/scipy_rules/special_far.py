"""Derivatives of exponentially scaled functions far out, to be differentiated again.

A scaled function falls like a power there, and its rule is a difference of two that are nearly equal: each derivative
of it loses as many digits as x has. Here it is the derivative of the asymptotic series, term by term.

References
----------
NIST Digital Library of Mathematical Functions, sections 9.7 and 10.17, 10.40.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.scipy_rules.special_functions import PHYSICAL, SEVERAL

_BESSEL_FROM, _AIRY_FROM = 50.0, 20.0
_TERMS = 20


def _far_of_order(order: Any, z: Any) -> Any:
    """Where the series for an order converges to rounding."""
    return np.real(z) > np.maximum(_BESSEL_FROM, 0.5 * order * order)


def _bessel_slope(order: Any, z: Any, turn: complex) -> Any:
    """The derivative of ``z**-0.5 * sum(a_k(order) * (turn / z)**k)``."""
    term: Any = 1.0
    total: Any = -0.5
    for k in range(1, _TERMS):
        term = term * (turn * (4.0 * order * order - (2 * k - 1) ** 2) / (8.0 * k)) / z
        total = total - (k + 0.5) * term
    return total / (z * np.sqrt(z))


def _by_order(name: str, turn: complex, scale: Callable[[Any], Any], order: float | None = None) -> tuple[Any, ...]:
    """The row of a table for a scaled Bessel function; `order` of those that have it in their names."""
    near = PHYSICAL[name][-1]
    assert near is not None

    def partial(y: Any, *arguments: Any) -> Any:
        degree, z = (order, arguments[-1]) if order is not None else arguments
        far = _far_of_order(degree, z)
        return np.where(far, scale(degree) * _bessel_slope(degree, np.where(far, z, 1e3), turn), near(y, *arguments))

    return (partial,) if order is not None else (None, partial)


def _on_both_sides(name: str, order: float | None = None) -> tuple[Any, ...]:
    """The same of the functions I, which are even or odd."""
    rising = _by_order(name, -1.0, lambda v: 1.0 / np.sqrt(2.0 * np.pi), order)[-1]

    def partial(y: Any, *arguments: Any) -> Any:
        *before, x = arguments
        degree: Any = before[0] if before else order
        whole = np.rint(degree)
        sign = np.where((x < 0.0) & (degree == whole), 1.0 - 2.0 * np.remainder(whole, 2.0), 1.0)
        side = np.where((x < -_BESSEL_FROM) & (degree == whole), -1.0, 1.0)
        turned = np.where(side < 0.0, sign, 1.0)
        return side * turned * rising(turned * y, *before, side * x)

    return (partial,) if order is not None else (None, partial)


def _phase(sign: float) -> Callable[[Any], Any]:
    return lambda v: np.sqrt(2.0 / np.pi) * np.exp(-sign * 1j * np.pi * (0.5 * v + 0.25))


def _airy_coefficients(slope: bool) -> list[float]:
    found = [1.0]
    for k in range(1, _TERMS):
        found.append(found[-1] * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216.0 * k * (2 * k - 1)))
    return [u * (6 * k + 1.0) / (1.0 - 6 * k) for k, u in enumerate(found)] if slope else found


def _airy(which: int) -> tuple[Any]:
    """The row of one of Ai, Ai', Bi and Bi'."""
    near = SEVERAL["airye"][which][0]
    assert near is not None
    is_slope, is_falling = which % 2 == 1, which < 2
    power = 0.25 if is_slope else -0.25
    scale = (0.5 if is_falling else 1.0) * (-1.0 if is_slope and is_falling else 1.0) / np.sqrt(np.pi)
    signed = [c * ((-1.0) ** k if is_falling else 1.0) for k, c in enumerate(_airy_coefficients(is_slope))]
    coefficients = [(power - 1.5 * k) * c for k, c in enumerate(signed)][::-1]

    def partial(y: Any, z: Any) -> Any:
        far = np.real(z) > _AIRY_FROM
        x = np.where(far, z, 1e3)
        root = np.sqrt(x)
        series = np.polyval(coefficients, 1.5 / (x * root))
        quarter = np.sqrt(root)
        return np.where(far, scale * series * (quarter if is_slope else 1.0 / quarter) / x, near(y, z))

    return (partial,)


FAR: dict[str, tuple[Any, ...]] = {
    "i0e": _on_both_sides("i0e", 0.0),
    "i1e": _on_both_sides("i1e", 1.0),
    "ive": _on_both_sides("ive"),
    "k0e": _by_order("k0e", 1.0, lambda v: np.sqrt(0.5 * np.pi), 0.0),
    "k1e": _by_order("k1e", 1.0, lambda v: np.sqrt(0.5 * np.pi), 1.0),
    "kve": _by_order("kve", 1.0, lambda v: np.sqrt(0.5 * np.pi)),
    "hankel1e": _by_order("hankel1e", 1j, _phase(1.0)),
    "hankel2e": _by_order("hankel2e", -1j, _phase(-1.0)),
    "airye": tuple(map(_airy, range(4))),
}
"""Function of scipy.special -> partial derivatives by its arguments, as in the other tables."""
