"""The catalogue and its oracles stand on their own, without the package under test."""

from __future__ import annotations

import numpy as np
import pytest

from cases import Case, expected_pattern, oracle, tolerance
from catalogue import CASES
from oracles import differences, flat_value


def test_names_are_unique() -> None:
    """A name is the seed of a case's points and the id of its tests."""
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 60


def test_shapes_cover_what_breaks() -> None:
    """Mostly not square; sizes 0 and 1 included."""
    shapes = [oracle(case).jacobian.shape for case in CASES]
    assert sum(m != n for m, n in shapes) > 0.85 * len(shapes)
    assert any(m == 0 for m, _ in shapes)
    assert any(n == 0 for _, n in shapes)
    assert any(m == 1 for m, _ in shapes)
    assert any(n == 1 for _, n in shapes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_oracle_is_sharp(case: Case) -> None:
    """The oracle knows its entries to 1e-6 or better, else a comparison with it means nothing."""
    for k in (0, 1):
        estimate = oracle(case, k)
        assert np.isfinite(estimate.jacobian).all()
        scale = np.abs(estimate.jacobian).max(initial=1.0)
        assert (tolerance(estimate) <= 1e-6 * scale).all()


@pytest.mark.parametrize("case", [case for case in CASES if case.analytic], ids=lambda case: case.name)
def test_oracles_agree(case: Case) -> None:
    """Complex step and differences, two independent oracles, give the same Jacobian."""
    coarse, sharp = differences(case.f, case.point(), case.args), oracle(case)
    np.testing.assert_array_less(np.abs(coarse.jacobian - sharp.jacobian), tolerance(coarse) + tolerance(sharp))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_function_repeats_itself(case: Case) -> None:
    """A case is pure, and its value is finite."""
    first = flat_value(case.f, case.point(), case.args)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, flat_value(case.f, case.point(), case.args))


def test_differences_avoid_kinks() -> None:
    """Next to a kink only the steps that do not straddle it settle."""
    estimate = differences(lambda x: np.abs(x), np.array([0.004, -0.003, 1.0]))
    np.testing.assert_allclose(estimate.jacobian, np.diag([1.0, -1.0, 1.0]), atol=1e-10)


def test_pattern_counts_selections_seen_at_probes() -> None:
    """A selection that one point shows one way is seen the other way at a probe."""
    case = Case("selection", lambda x: np.where(x[:3] > x[3:], x[:3], x[3:]), (6,), probes=12)
    assert expected_pattern(case).sum() == 6
