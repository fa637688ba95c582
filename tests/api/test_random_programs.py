"""Random programs of buffers, views, loops and branches against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, settings

import sparsejac
from api_options import STRATEGIES
from oracles import differences, flat_value
from programs import RandomProgram, random_programs

quick = settings(
    max_examples=40,
    deadline=None,
    # A program prints itself and is short; shrinking a failure would take minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def compare(program: RandomProgram, found: Any, k: int) -> None:
    """Compare with differences, which must know their entries well enough to judge."""
    estimate = differences(program, program.point(k))
    assume((estimate.error <= 1e-6 * (1.0 + np.abs(estimate.jacobian))).all())
    assert found.shape == estimate.jacobian.shape
    allowed = 50 * estimate.error + 1e-10 * (1.0 + np.abs(estimate.jacobian))
    np.testing.assert_array_less(np.abs(found.toarray() - estimate.jacobian), allowed)


@quick
@given(random_programs)
def test_programs(program: RandomProgram) -> None:
    """Each strategy gives the differences' Jacobian, and NumPy's value."""
    x = program.point()
    for strategy in STRATEGIES[:3]:
        compare(program, sparsejac.sparse_jacobian(program, x, strategy=strategy), 0)
    value, _ = sparsejac.value_and_jacobian(program, x)
    np.testing.assert_allclose(value, flat_value(program, x), rtol=1e-11, atol=1e-12)


@quick
@given(random_programs)
def test_plans_of_programs(program: RandomProgram) -> None:
    """A plan made at one point is right at others, and back."""
    plan = sparsejac.prepare(program, program.point())
    for k in (1, 2, 0):
        compare(program, plan(program.point(k)), k)
