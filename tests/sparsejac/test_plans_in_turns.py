"""Evaluations whose sweeps take turns: the same bits as without, for each row of whatever was cut."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

from bench.families.registry import FAMILIES
from kernels import turn_planner
from sparsejac import prepare
from sparsejac.evaluation import fused

SIZES = {"weno": 2500, "power_flow": 2500, "springs": 1500, "brusselator": 1800, "arrowhead": 3000}


@pytest.mark.parametrize("family", SIZES)
def test_the_same_bits(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSEJAC_NUM_THREADS", "1")
    problem = FAMILIES[family].make(SIZES[family])
    plan = prepare(problem.f, problem.x, strategy="elimination", backend="numba")
    plan.values(problem.x)
    way = plan._variants.known[0]
    constants = [np.asarray(constant).reshape(-1) for constant in way.traced.constants]
    plain = way.engine._fused
    assert plain is not None
    record, further = plain.record, plain.further
    with mock.patch.object(fused, "TURNS_FROM", 1 << 62):
        plain = fused.Fused(record, record(), further)
    with (
        mock.patch.object(fused, "TURNS_FROM", 0),
        mock.patch.multiple(turn_planner, SHARED_BYTES=8192, LOCAL_BYTES=4096),
    ):
        turned = fused.Fused(record, record(), further)
        with mock.patch.object(turn_planner, "MOST_PAIRS", 1):  # none of these calls touch less
            assert not fused.Fused(record, record(), further)._plans
    assert not plain._plans
    (found_plan,) = turned._plans
    assert found_plan.starts.shape[1] > 4
    assert bool(found_plan.sizes) is (family == "weno")
    for factor in (1.0, 1.01):
        found = []
        for each in (plain, turned):
            out = np.full(plan.pattern.nnz, np.nan)
            assert each.run([problem.x * factor, *constants], out)[0] == 0
            assert np.isfinite(out).all()
            found.append(out.view(np.int64))
        np.testing.assert_array_equal(*found)


def test_few_entries_are_set_to_zero() -> None:
    """The rows that reach over an end are added to; nothing else has to be zero before."""
    problem = FAMILIES["weno"].make(400)
    plan = prepare(problem.f, problem.x, strategy="elimination", backend="numba")
    out = np.full(plan.pattern.nnz, np.nan)
    plan.values(problem.x, out=out)
    reference = prepare(problem.f, problem.x, strategy="identity").values(problem.x)
    np.testing.assert_allclose(out, reference, rtol=1e-9, atol=1e-9 * np.abs(reference).max())
    prepared = plan._variants.known[0].engine.prepared
    assert not prepared.zeroed
    (zeros,) = [sweep for sweep in prepared.sweeps if not sweep.loads]
    assert 0 < zeros.points <= 6 * 7  # of six rows the stencil of seven cells leads over an end
