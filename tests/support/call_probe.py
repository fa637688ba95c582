"""Tries calls with arguments of all sorts: they raise, or they are right.

This file holds few names on purpose: the package searches what a function can reach through its module.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import sparsejac
from oracles import Array, differences

ARGUMENTS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "x": lambda x: (x,),
    "x[0]": lambda x: (x[0],),
    "m": lambda x: (x.reshape(2, 3),),
    "q": lambda x: (np.outer(x[:3], x[3:]) + np.eye(3),),
    "x, y": lambda x: (x, x[::-1]),
    "x[0], x[1]": lambda x: (x[0], x[1]),
    "2, x": lambda x: (2, x),
    "x, 2": lambda x: (x, 2),
    "m, 1": lambda x: (x.reshape(2, 3), 1),
    "0.5, 1.5, x": lambda x: (0.5, 1.5, x),
    "knots, x, 0.3": lambda x: (np.linspace(0.0, 1.0, 6), x, 0.3),
    "x, knots, knots": lambda x: (x, np.linspace(0.0, 1.0, 6), np.linspace(0.0, 1.0, 6)),
}
"""What a call that has no rule is tried with; most of it makes no sense to most calls."""


def real_vector(result: Any) -> Any:
    """All numbers of a result, real and imaginary parts apart."""
    if isinstance(result, tuple | list):
        parts = [real_vector(part) for part in result]
        return np.concatenate(parts) if parts else np.zeros(0)
    flat = np.ravel(result)
    return np.concatenate([flat.real, flat.imag]) if np.iscomplexobj(flat) else flat * 1.0


def is_silently_wrong(function: Callable[..., Any], arguments: Callable[[Any], tuple[Any, ...]], x: Array) -> bool:
    """Whether a call gives a Jacobian that differences contradict."""

    def f(x: Any) -> Any:
        return real_vector(function(*arguments(x)))

    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            found = sparsejac.sparse_jacobian(f, x).toarray()
            value = np.asarray(f(x.copy()), dtype=np.float64)
            estimate = differences(f, x)
        except Exception:
            return False
    known = np.isfinite(value)[:, None] & (estimate.error < 1e-6 * (1.0 + np.abs(estimate.jacobian)))
    return bool(np.any(known & ~(np.abs(found - estimate.jacobian) < 1e-5 * (1.0 + np.abs(estimate.jacobian)))))
