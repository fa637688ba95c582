"""The cases on Hessians and on products: what they race is one function, and they run at tiny sizes."""

from __future__ import annotations

import numpy as np
import pytest

from bench.cases.case import Settings
from bench.cases.growth import over_copies, rise
from bench.cases.inverse import grown
from bench.cases.registry import CASES
from bench.check import nearby
from bench.hessians.families import OBJECTIVES
from bench.rewritten.numpy_like import NUMPY
from in_process import Here


@pytest.mark.parametrize("name", OBJECTIVES)
def test_rewritten_objectives_have_the_same_values(name: str) -> None:
    objective = OBJECTIVES[name](30)
    x = nearby(objective.x)
    (value,) = objective.rewritten(NUMPY, x)
    assert value == pytest.approx(objective.f(x), rel=1e-12)
    assert np.shape(objective.f(x)) == ()


def test_hessians_have_a_row_for_each_way() -> None:
    settings = Settings(Here(), quick=True, families=("rosenbrock", "springs"))  # type: ignore[arg-type]
    outcome = CASES["hessians"].run(settings)
    (table,) = outcome.tables
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [str(row["way"]).partition(":")[0] for row in found] == ["full", "lower", "casadi", "asdex"] * 2
    assert [row["entries"] for row in found if str(row["way"]).startswith("full")] == [3 * 40 - 2, 480]
    assert all(row["over ours"] == 1.0 for row in found if str(row["way"]).startswith("full"))


def test_products_are_over_compiled_f() -> None:
    outcome = CASES["products"].run(Settings(Here(), quick=True, families=("broyden",)))  # type: ignore[arg-type]
    figures = {figure.name: figure for figure in outcome.figures}
    assert {"jvp over compiled f, worst", "vjp over compiled f, worst"} <= figures.keys()
    assert figures["jvp over compiled f, worst"].bar == 2.5
    assert all(row[0] == "broyden" for row in outcome.tables[0].rows)


def test_growth_is_over_that_of_a_copy() -> None:
    """Ten times the numbers in thirty times the time, of which a copy takes twenty: one and a half."""
    small = {"n": 10, "setup": 1.0, "peak": 80.0, "seconds": {"push": 1e-6, "copy": 1e-7}}
    large = {"n": 100, "setup": 2.0, "peak": 900.0, "seconds": {"push": 3e-5, "copy": 2e-6}}
    figure = over_copies("push", [small, large], "push", "n", "an unknown")
    assert figure.value == pytest.approx(1.5)
    assert figure.note.split("; ") == [
        "ns an unknown: 100, 300",
        "over a copy: 10, 15",
        "set-up s: 1, 2",
        "B an unknown: 8, 9",
    ]
    assert over_copies("push", [small, "too large"], "push", "n", "an unknown").value is None


def test_a_rise_is_from_a_size_to_a_larger_one() -> None:
    assert rise((8.0, 4.0, 2.0)) == 1
    assert rise((8.0, 2.0, 6.0, 5.0)) == 3


def test_products_with_inverses_are_checked_as_they_grow() -> None:
    found = grown("20 tridiagonal maps", 30, 0.01)
    assert found["n"] == 30
    assert {"lumps", "again", "copy"} == found["seconds"].keys()
