"""One function against dense differences, in all entries: value, Jacobian, pattern, all strategies, and a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from api_options import EXPLICIT_STRATEGIES
from oracles import Array, differences
from sparsejac import prepare, sparse_jacobian, value_and_jacobian


def check(
    f: Callable[[Array], Any], x: Any, other: Any = None, *, nnz: int | None = None, strategies: bool = False,
    tolerance: float = 1e-6,
) -> None:  # fmt: skip
    """Compare f's Jacobian with differences at x, and that of a plan made at x at another point.

    Parameters
    ----------
    f : callable
        Plain NumPy of x, real result.
    x : array_like
    other : array_like, optional
        Where the plan is asked as well.
    nnz : int, optional
        The number of entries that the pattern must have.
    strategies : bool
        Whether every strategy has to give the same.
    tolerance : float
        Allowed beyond the differences' own estimate of their error, relative to the largest entry.
    """
    x = np.asarray(x, dtype=np.float64)
    value, J = value_and_jacobian(f, x)
    np.testing.assert_allclose(np.ravel(value), np.ravel(f(x.copy())), rtol=1e-12, atol=1e-12)
    compare(J.toarray(), f, x, tolerance)
    if nnz is not None:
        assert J.nnz == nnz
    for strategy in EXPLICIT_STRATEGIES if strategies else ():
        np.testing.assert_allclose(
            sparse_jacobian(f, x, strategy=strategy).toarray(), J.toarray(), rtol=1e-9, atol=1e-9
        )
    if other is not None:
        there = np.asarray(other, dtype=np.float64)
        compare(prepare(f, x)(there).toarray(), f, there, tolerance)


def compare(found: Array, f: Callable[[Array], Any], x: Array, tolerance: float = 1e-6) -> None:
    """Compare all entries with those by differences."""
    estimate = differences(f, x)
    assert found.shape == estimate.jacobian.shape
    scale = 1.0 + float(np.abs(estimate.jacobian).max(initial=0.0))
    allowed = tolerance * scale + 10 * estimate.error
    assert np.isfinite(found).all()
    wrong = np.abs(found - estimate.jacobian) > allowed
    assert not wrong.any(), (np.argwhere(wrong), found[wrong], estimate.jacobian[wrong])
