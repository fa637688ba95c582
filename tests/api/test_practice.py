"""Realistic functions of many fields: values and pattern at several points, by fresh calls and by one plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sparsejac
from cases import Case, expected_pattern, oracle, tolerance
from catalogue import CASES
from oracles import flat_value
from practice import PRACTICE

POINTS = (0, 1, 2)

every_case = pytest.mark.parametrize("case", PRACTICE, ids=lambda case: case.name)


def nonzeros(case: Case, k: int) -> NDArray[np.bool_]:
    """Entries of the dense oracle that are certainly not zero at the k-th point."""
    estimate = oracle(case, k)
    found: NDArray[np.bool_] = np.abs(estimate.jacobian) > 1e-7 + 100 * estimate.error
    return found


def expected(case: Case, k: int) -> NDArray[np.bool_]:
    """The pattern at the k-th point: this point's where f branches, otherwise that of all points."""
    if case.structure is not None:
        return case.structure()
    if case.branches:
        return nonzeros(case, k)
    found: NDArray[np.bool_] = expected_pattern(case) | np.any([nonzeros(case, j) for j in POINTS], axis=0)
    return found


def stored(jacobian: Any) -> NDArray[np.bool_]:
    """Give the stored entries as a dense array of truth values."""
    found = np.zeros(jacobian.shape, dtype=bool)
    coo = jacobian.tocoo()
    found[coo.row, coo.col] = True
    return found


def check(jacobian: Any, case: Case, k: int, pattern: bool = True) -> None:
    """Compare values and pattern with the oracle at the k-th point."""
    estimate = oracle(case, k)
    assert jacobian.shape == estimate.jacobian.shape
    wrong = np.argwhere(np.abs(jacobian.toarray() - estimate.jacobian) > tolerance(estimate))
    assert not wrong.size, f"{len(wrong)} wrong entries, first at {wrong[0]}"
    missing = np.argwhere(nonzeros(case, k) & ~stored(jacobian))
    assert not missing.size, f"entries missing from the pattern: {missing[:5].tolist()}"
    if pattern and case.exact:
        extra = np.argwhere(stored(jacobian) & ~expected(case, k))
        assert not extra.size, f"entries that are always zero: {extra[:5].tolist()}"


def test_there_are_enough() -> None:
    """No name twice, of 5 to 50 unknowns almost all."""
    names = [case.name for case in (*PRACTICE, *CASES)]
    assert len(names) == len(set(names))
    assert len(PRACTICE) >= 64
    sizes = [int(np.prod(case.shape)) for case in PRACTICE]
    assert sum(5 <= size <= 50 for size in sizes) >= 0.9 * len(sizes)


@every_case
def test_oracle_is_sharp(case: Case) -> None:
    """The oracle knows its entries well enough for a comparison to mean something."""
    for k in POINTS:
        estimate = oracle(case, k)
        assert np.isfinite(estimate.jacobian).all()
        assert (tolerance(estimate) <= 1e-6 * np.abs(estimate.jacobian).max(initial=1.0)).all()


@pytest.mark.parametrize("case", [case for case in PRACTICE if case.structure is not None], ids=lambda case: case.name)
def test_stated_structure_is_what_is_seen(case: Case) -> None:
    """The pattern that the model's author states is that of the differences, seen at all points."""
    assert case.structure is not None
    seen = np.any([nonzeros(case, k) for k in POINTS], axis=0)
    np.testing.assert_array_equal(case.structure(), seen)


@every_case
def test_fresh_calls(case: Case) -> None:
    """Value, Jacobian and pattern at two points; `test_plan` goes on to others."""
    for k in POINTS[:2]:
        x = case.point(k)
        value, jacobian = sparsejac.value_and_jacobian(case.f, x, *case.args)
        reference = case.f(case.point(k), *case.args)
        assert np.shape(value) == np.shape(reference)
        np.testing.assert_allclose(np.ravel(value), flat_value(case.f, x, case.args), rtol=1e-11, atol=1e-12)
        np.testing.assert_array_equal(x, case.point(k))
        check(jacobian, case, k)


@every_case
def test_plan(case: Case) -> None:
    """One plan at several points, and back."""
    plan = sparsejac.prepare(case.f, case.point(0), *case.args)
    for k in (*POINTS, 0):
        check(plan(case.point(k), *case.args), case, k)
