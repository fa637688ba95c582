"""Every function of the catalogue with every strategy against the dense oracle."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import sparsejac
from api_options import BACKENDS, EXPLICIT_STRATEGIES, STRATEGIES
from cases import Case, expected_pattern, oracle, tolerance
from catalogue import CASES, named

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)

COMPILED_CASES = (
    "zero_dimensional",
    "no_outputs",
    "constant_output",
    "bratu",
    "arrowhead",
    "small_power_flow",
    "truss_assembly",
    "broyden_tridiagonal",
    "euler_rusanov",
    "matrix_products",
)


def taking_turns(k: int) -> Any:
    """A strategy for the k-th function; plans go through all of them."""
    return EXPLICIT_STRATEGIES[k % len(EXPLICIT_STRATEGIES)]


def assert_matches(jacobian: Any, case: Case, k: int = 0) -> None:
    """Compare a sparse matrix with the dense oracle at the k-th point, entry by entry."""
    estimate = oracle(case, k)
    assert jacobian.shape == estimate.jacobian.shape
    wrong = np.abs(jacobian.toarray() - estimate.jacobian) > tolerance(estimate)
    assert not wrong.any(), (
        f"{np.count_nonzero(wrong)} wrong entries, first at {np.argwhere(wrong)[0]}: "
        f"{jacobian.toarray()[wrong][:4]} instead of {estimate.jacobian[wrong][:4]}"
    )


def assert_canonical(jacobian: Any) -> None:
    """Check the structure that SciPy's fast paths ask for."""
    indices, indptr = jacobian.indices, jacobian.indptr
    assert indices.dtype == indptr.dtype == np.int32
    assert jacobian.data.dtype == np.float64
    assert indptr[0] == 0
    assert indptr[-1] == indices.size == jacobian.data.size
    for start, stop in pairwise(indptr):
        assert (np.diff(indices[start:stop]) > 0).all()


def structure(jacobian: Any) -> Any:
    """Give the stored entries as a dense boolean array."""
    coo = jacobian.tocoo()
    stored = np.zeros(jacobian.shape, dtype=bool)
    stored[coo.row, coo.col] = True
    return stored


@cache
def pattern_of(case: Case) -> sparsejac.Pattern:
    """The pattern at the first point."""
    return sparsejac.jacobian_sparsity(case.f, case.point(), *case.args)


def assert_structure(jacobian: Any, case: Case) -> None:
    """The structure is canonical: that of jacobian_sparsity, the same for every strategy."""
    assert isinstance(jacobian, sp.csr_array)
    assert_canonical(jacobian)
    assert jacobian.shape == tuple(pattern_of(case).shape)
    np.testing.assert_array_equal(jacobian.indptr, pattern_of(case).indptr)
    np.testing.assert_array_equal(jacobian.indices, pattern_of(case).indices)


@pytest.mark.parametrize(
    ("case", "strategy"),
    [pair for k, case in enumerate(CASES) for pair in ((case, "auto"), (case, taking_turns(k)))],
    ids=lambda value: getattr(value, "name", value),
)
def test_values(case: Case, strategy: Any) -> None:
    """Fresh calls give the oracle's values: every function by the chosen strategy, and by one of the others in turn."""
    jacobian = sparsejac.sparse_jacobian(case.f, case.point(), *case.args, strategy=strategy)
    assert_structure(jacobian, case)
    assert_matches(jacobian, case)


@every_case
def test_value_and_jacobian(case: Case) -> None:
    """The value is f(x), in f's own shape."""
    value, jacobian = sparsejac.value_and_jacobian(case.f, case.point(), *case.args)
    expected = np.asarray(case.f(case.point(), *case.args), dtype=np.float64)
    assert np.shape(value) == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-13)
    assert_matches(jacobian, case)


@every_case
def test_pattern(case: Case) -> None:
    """The pattern covers every nonzero, and is no larger where it is known exactly."""
    pattern = structure(sparsejac.sparse_jacobian(case.f, case.point(), *case.args))
    expected = expected_pattern(case)
    missing = expected & ~pattern
    assert not missing.any(), f"entries missing from the pattern: {np.argwhere(missing)[:5]}"
    if case.exact:
        extra = pattern & ~expected
        assert not extra.any(), f"entries that are always zero: {np.argwhere(extra)[:5]}"


@every_strategy
@every_case
def test_plan_at_another_point(case: Case, strategy: Any) -> None:
    """A plan made at one point is right at another one, also after a branch has flipped, and back; structure too."""
    plan = sparsejac.prepare(case.f, case.point(0), *case.args, strategy=strategy)
    assert_matches(plan(case.point(1), *case.args), case, 1)
    jacobian = plan(case.point(0), *case.args)
    assert_matches(jacobian, case, 0)
    assert_structure(jacobian, case)


@pytest.mark.parametrize("case", [case for case in CASES if not case.branches], ids=lambda case: case.name)
def test_structure_does_not_depend_on_x(case: Case) -> None:
    """Without branches on values, every x gives the same structure, explicit zeros kept."""
    first = sparsejac.sparse_jacobian(case.f, case.point(0), *case.args)
    second = sparsejac.sparse_jacobian(case.f, case.point(1), *case.args)
    np.testing.assert_array_equal(first.indptr, second.indptr)
    np.testing.assert_array_equal(first.indices, second.indices)


@pytest.mark.filterwarnings("ignore::sparsejac.VariantWarning")
@pytest.mark.parametrize("case", [case for case in CASES if case.branches], ids=lambda case: case.name)
def test_branches_at_many_points(case: Case) -> None:
    """Whatever way the branches go, one plan and fresh calls are right."""
    plan = sparsejac.prepare(case.f, case.point(0), *case.args)
    for k in range(1, 9):
        assert_matches(plan(case.point(k), *case.args), case, k)
        assert_matches(sparsejac.sparse_jacobian(case.f, case.point(k), *case.args), case, k)


@every_case
def test_argument_is_left_alone(case: Case) -> None:
    """An f that writes into its argument changes a copy."""
    x = case.point()
    sparsejac.sparse_jacobian(case.f, x, *case.args)
    np.testing.assert_array_equal(x, case.point())


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("name", COMPILED_CASES)
def test_backends(name: str, strategy: Any) -> None:
    """Each way of evaluation on this machine gives the oracle's values."""
    case = named(name)
    for backend in BACKENDS:
        options: dict[str, Any] = {"strategy": strategy, "backend": backend}
        plan = sparsejac.prepare(case.f, case.point(0), *case.args, **options)
        for k in (0, 1):
            assert_matches(plan(case.point(k), *case.args), case, k)
