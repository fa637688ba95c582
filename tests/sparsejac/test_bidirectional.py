"""Dense rows and dense columns at once: a few products in the place of as many as there are unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coloring import adopt, color
from oracles import complex_step
from sparsejac import InputError, prepare, sparse_jacobian
from sparsejac.strategies.cost import Seeds, estimate_two_sided


def bordered(x: Any) -> Any:
    """A dense first row, a dense first column, and a diagonal."""
    y = x**2 * x[0]
    y[0] = np.sum(np.sin(x))
    return y


def wide(x: Any) -> Any:
    """Fewer outputs than unknowns, the last of which stands in each."""
    return np.concatenate([x[:3] * np.exp(x[-1]), [np.sum(x**3)]])


def blocks(x: Any) -> Any:
    """Ten steps within blocks of sixteen, and in the end a mean of all and a factor in all."""
    coupling = np.arange(1.0, 257.0).reshape(16, 16) / 768.0
    y = x[: 16 * (len(x) // 16)].reshape(-1, 16)
    for _ in range(10):
        y = np.sin(y @ coupling)
    return np.concatenate([[np.sum(y**2)], y.ravel() * x[0]])


@pytest.mark.parametrize("f", [bordered, wide, blocks])
@pytest.mark.parametrize("n", [7, 40])
def test_values_are_exact(f: Any, n: int) -> None:
    x = np.linspace(0.3, 1.1, n)
    expected = complex_step(f, x)
    for backend in ("numpy", "numba"):
        J = sparse_jacobian(f, x, strategy="bidirectional", backend=backend)
        np.testing.assert_allclose(J.toarray(), expected, rtol=1e-12, atol=1e-13)


def test_three_products_do() -> None:
    plan = prepare(bordered, np.linspace(0.3, 1.1, 50), strategy="bidirectional")
    plan(np.linspace(0.3, 1.1, 50))
    (coloring,) = plan.explain(color=False).colorings
    assert "3 colors" in coloring
    lines = {line.prediction.strategy: line.prediction for line in plan.explain().lines}
    assert lines["bidirectional"].colors == 3
    assert lines["forward"].colors == lines["reverse"].colors == 50


def test_auto_takes_it_where_it_wins() -> None:
    """Against n seeds from either side; against products of full blocks, of which each costs more than a seed's."""
    plan = prepare(blocks, np.linspace(0.3, 1.1, 2000))
    explanation = plan.explain()
    seconds = {line.prediction.strategy: line.prediction.seconds for line in explanation.lines}
    assert min(seconds, key=seconds.__getitem__) == "bidirectional"
    assert explanation.strategy == "bidirectional"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_sizes(n: int) -> None:
    J = sparse_jacobian(lambda x: x**2, np.ones(n), strategy="bidirectional")
    np.testing.assert_array_equal(J.toarray(), 2.0 * np.eye(n))


def test_what_is_not_finite_spoils_no_neighbour() -> None:
    def f(x: Any) -> Any:
        y = x * x[0]
        y[1] = np.sum(np.sqrt(x))
        return y

    x = np.array([1.0, 4.0, 0.0, 9.0])
    J = sparse_jacobian(f, x, strategy="bidirectional").toarray()
    assert np.isinf(J[1, 2])
    J[1, 2] = 0.0
    np.testing.assert_allclose(J, [[2, 0, 0, 0], [0.5, 0.25, 0, 1 / 6], [0, 0, 1, 0], [9, 0, 0, 1]])


def test_colors_of_the_users() -> None:
    x = np.linspace(0.3, 1.1, 5)
    entries = (J := sparse_jacobian(bordered, x)).indptr, J.indices, J.shape
    rows, columns = [0, -1, -1, -1, -1], [0, 1, 1, 1, 1]
    given = adopt(entries, rows + columns, "star_bicoloring")
    for coloring in (given, rows + columns):
        strategy = "auto" if coloring is given else "bidirectional"
        found = sparse_jacobian(bordered, x, strategy=strategy, coloring=coloring)
        np.testing.assert_allclose(found.toarray(), J.toarray(), rtol=1e-13)
    with pytest.raises(InputError, match="fall together"):
        sparse_jacobian(bordered, x, strategy="bidirectional", coloring=[-1] * 5 + columns)
    with pytest.raises(InputError, match="one for each of 10 rows and columns"):
        sparse_jacobian(bordered, x, strategy="bidirectional", coloring=columns)
    symmetric = color(np.eye(5, dtype=bool), "star")
    with pytest.raises(InputError, match="got a star coloring"):
        sparse_jacobian(bordered, x, coloring=symmetric)


def test_estimate_before_coloring() -> None:
    """By hand: two rows with six entries, one column with three of those left, one entry a row in the rest."""
    assert estimate_two_sided(np.array([6, 6, 1, 1, 1, 0]), np.array([2, 2, 5, 2, 2, 2])) == Seeds(3, 2)
    assert estimate_two_sided(np.array([], dtype=int), np.array([], dtype=int)) == Seeds()
    assert estimate_two_sided(np.full(9, 5), np.full(9, 5)).total == 5
