"""Scores of scipy.stats, against SciPy's own values and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian

X = np.array([0.7, 1.3, 0.45, 2.1, 1.75, 0.95])
OTHER = X[::-1] ** 2 + 0.1

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "zscore": stats.zscore,
    "zscore of a list": lambda x: stats.zscore([x[0], 2.0, x[3]]),
    "zscore of columns": lambda x: stats.zscore(x.reshape(2, 3)),
    "zscore of rows": lambda x: stats.zscore(x.reshape(2, 3), axis=-1, ddof=1),
    "zscore of all": lambda x: stats.zscore(x.reshape(2, 3), axis=None),
    "gzscore": lambda x: stats.gzscore(x.reshape(3, 2), axis=0, ddof=1),
    "zmap of traced samples": lambda x: stats.zmap([1.0, 2.0], x, ddof=1),
    "zmap by constants": lambda x: stats.zmap(x, [1.0, 2.0, 4.0]),
    "zmap of itself": lambda x: stats.zmap(x, x),
    "the cure for options": lambda x: (x - np.nanmean(x, 0, keepdims=True)) / np.nanstd(x, 0, ddof=1, keepdims=True),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scores(name: str) -> None:
    f = FUNCTIONS[name]
    plan = prepare(f, X, backend="numpy")
    for x in (X, OTHER):
        value, jacobian = plan.value_and_jacobian(x)
        assert_allclose(value, f(x), rtol=1e-13, atol=1e-14)
        assert_allclose(jacobian.toarray(), differences(f, x).jacobian, rtol=1e-8, atol=1e-8)


@pytest.mark.filterwarnings("ignore")
def test_equal_numbers_have_no_scores() -> None:
    plan = prepare(lambda x: stats.zscore(x), X)
    assert np.isnan(plan.value_and_jacobian(np.full(6, 0.1))[0]).all()
    assert np.isnan(stats.zscore(np.full(6, 0.1))).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ddof", [0, 1, 2, 3, 5])
def test_as_few_numbers_as_are_taken_away(ddof: int) -> None:
    for f in (
        lambda x: stats.zscore(x[:2], ddof=ddof),
        lambda x: stats.zscore(x.reshape(3, 2), axis=1, ddof=ddof),
        lambda x: stats.zscore(x.reshape(3, 2), axis=None, ddof=ddof + 4),
        lambda x: stats.gzscore(x[:1], ddof=ddof),
        lambda x: stats.zmap(x, x[:2], ddof=ddof),
        lambda x: stats.zscore(x[:0], ddof=ddof),
    ):
        assert_allclose(prepare(f, X).value_and_jacobian(X)[0], f(X), rtol=1e-12)


def test_refused() -> None:
    with pytest.raises(UntraceableError, match="zscore with these options"):
        sparse_jacobian(lambda x: stats.zscore(x, nan_policy="omit"), X)
