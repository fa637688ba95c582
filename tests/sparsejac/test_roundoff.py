"""Every strategy within n * eps * sum |terms| of the complex step, n and terms counted on the launches of f."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sparsejac
from bench.families.registry import FAMILIES
from practice import PRACTICE
from roundoff import complex_steps, roundoff
from sparsejac.options import BackendName, StrategyName
from sparsejac.schedules.fusion import schedule
from traced_functions import trace

Array = NDArray[np.float64]
EPS = np.finfo(np.float64).eps
WAYS: tuple[tuple[StrategyName, BackendName], ...] = (
    ("forward", "numpy"),
    ("reverse", "numpy"),
    ("bidirectional", "numpy"),
    ("identity", "numpy"),
    ("elimination", "numpy"),
    ("auto", "numba"),
)
CHOSEN = (
    "chebyshev_fit",
    "roots_and_coefficients",
    "multiple_shooting",
    "lyapunov_function",
    "cp_decomposition",
    "wavelet_lifting",
    "biquad_cascade",
    "attention",
    "gaussian_peaks",
    "river_tree",
    "rectified_layer",
)
"""From flat to deep, with branches, and with terms that cancel."""

PROBLEMS: dict[str, tuple[Callable[..., Any], Array, tuple[Any, ...]]] = {
    **{name: (made.f, made.x, ()) for name, family in FAMILIES.items() for made in [family.make(12)]},
    **{case.name: (case.f, case.point(0), case.args) for case in PRACTICE if case.name in CHOSEN},
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_entry_is_off_by_more_than_rounding(name: str) -> None:
    """Of all strategies, by NumPy and compiled."""
    f, x, args = PROBLEMS[name]
    traced = trace(lambda z: f(z, *args), x)
    launches, inputs = schedule(traced.program), [x.ravel(), *traced.constants]
    expected, bound = complex_steps(launches, inputs), EPS * roundoff(launches, inputs)
    assert bound.max() <= 1e-9 * np.abs(expected).max()  # else it would allow anything
    for strategy, backend in WAYS:
        found = sparsejac.sparse_jacobian(f, x, *args, strategy=strategy, backend=backend).toarray()
        assert (np.abs(found - expected) <= bound).all(), (strategy, backend)


@pytest.mark.parametrize("name", ["bratu", "brusselator", "chebyshev_fit", "rosenbrock", "springs"])
def test_a_wrong_digit_is_seen(name: str) -> None:
    """An error of some hundred units in the last place of the entries is beyond the bound of most of them."""
    f, x, args = PROBLEMS[name]
    traced = trace(lambda z: f(z, *args), x)
    launches, inputs = schedule(traced.program), [x.ravel(), *traced.constants]
    entries = np.abs(complex_steps(launches, inputs))
    assert np.mean(300 * EPS * entries[entries > 0] > EPS * roundoff(launches, inputs)[entries > 0]) > 0.8
