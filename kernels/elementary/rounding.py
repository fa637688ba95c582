"""Rounding to the format of half precision."""

from __future__ import annotations

from kernels.elementary.emitter import FRACTION_BITS, INFINITY, Real

EXPONENT = 0x7FF << FRACTION_BITS
SMALLEST_NORMAL = 2.0**-14
FRACTION = 2.0**-10
"""A unit in the last place of 1."""
TOO_LARGE = 65520.0
"""What is as large as this is rounded to infinity."""


def half(x: Real) -> Real:
    """The nearest half, ties to even; all scalings are by powers of two and exact."""
    a = abs(x)
    power = (a.bits() & EXPONENT).real()
    unit = (power < SMALLEST_NORMAL).choose(x.lift(SMALLEST_NORMAL), power) * FRACTION
    rounded = (a / unit).rint() * unit
    return (a >= TOO_LARGE).choose(x.lift(INFINITY), rounded).signed(x.sign())
