from __future__ import annotations

import numpy as np
import pytest

from kernels import NumbaExecutor, NumpyExecutor, active_buffers, allocate_partials, allocate_rows
from kernels.tape_executor import TapeExecutor

EXECUTORS = pytest.mark.parametrize("make", [NumpyExecutor, NumbaExecutor, TapeExecutor])
CLOSE = {"rtol": 1e-14, "atol": 1e-14}


def seeded(case, buffer, seeds, rng):
    """Zeroed rows but for random ones at `buffer`."""
    rows = allocate_rows(case.schedule, seeds)
    rows[buffer][:] = rng.normal(size=rows[buffer].shape)
    return rows


@EXECUTORS
def test_values_match_a_run_point_by_point_also_the_second_time(case, make):
    executor, buffers = make(case.schedule), case.buffers()
    for _ in range(2):
        executor.values(buffers)
        for found, expected in zip(buffers, case.values, strict=True):
            np.testing.assert_allclose(found, expected, **CLOSE)


@EXECUTORS
def test_partials_match_a_run_point_by_point(case, make):
    executor, buffers = make(case.schedule), case.buffers()
    out = allocate_partials(case.schedule)
    given = executor.partials(buffers, out)
    fresh = executor.partials(case.buffers())
    for found, again, expected, array in zip(given, fresh, case.partials, out, strict=True):
        assert found is array
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, **CLOSE)
        np.testing.assert_array_equal(found, again)
    for found, expected in zip(buffers, case.values, strict=True):
        np.testing.assert_allclose(found, expected, **CLOSE)


@EXECUTORS
@pytest.mark.parametrize("seeds", [0, 1, 3, 17])
def test_forward_is_the_jacobian_times_the_tangents(case, make, seeds):
    rng = np.random.default_rng(0)
    schedule, buffers = case.schedule, case.buffers()
    tangents = seeded(case, schedule.x, seeds, rng)
    given = tangents[schedule.x].copy()
    make(schedule).forward(buffers, tangents, seeds)
    for b in active_buffers(schedule):
        np.testing.assert_allclose(tangents[b], case.jacobians[b] @ given, rtol=1e-12, atol=1e-13)
    for found, expected in zip(buffers, case.values, strict=True):
        np.testing.assert_allclose(found, expected, **CLOSE)


@EXECUTORS
@pytest.mark.parametrize("seeds", [0, 1, 3, 17])
@pytest.mark.parametrize("ready", [False, True])
def test_reverse_is_the_transposed_jacobian_times_the_adjoints(case, make, seeds, ready):
    rng = np.random.default_rng(1)
    schedule, buffers = case.schedule, case.buffers()
    executor = make(schedule)
    if ready:
        executor.values(buffers)
    adjoints = seeded(case, schedule.output, seeds, rng)
    given = adjoints[schedule.output].copy()
    executor.reverse(buffers, adjoints, seeds, values_ready=ready)
    expected = case.jacobians[schedule.output].T @ given
    np.testing.assert_allclose(adjoints[schedule.x], expected, rtol=1e-12, atol=1e-13)


@EXECUTORS
def test_forward_and_reverse_are_transposes(case, make):
    rng = np.random.default_rng(2)
    schedule, buffers, executor = case.schedule, case.buffers(), make(case.schedule)
    tangents, adjoints = seeded(case, schedule.x, 1, rng), seeded(case, schedule.output, 1, rng)
    v, w = tangents[schedule.x].copy(), adjoints[schedule.output].copy()
    executor.forward(buffers, tangents, 1)
    executor.reverse(buffers, adjoints, 1)
    pushed, pulled = np.sum(tangents[schedule.output] * w), np.sum(v * adjoints[schedule.x])
    assert pushed == pytest.approx(pulled, rel=1e-12, abs=1e-13)


@EXECUTORS
def test_elementwise_values_match_a_plain_formula(cases, make):
    case = cases("elementwise-7")
    buffers = case.buffers()
    make(case.schedule).values(buffers)
    x = case.inputs[0]
    np.testing.assert_allclose(buffers[2], np.sin(x * x[::-1]), **CLOSE)


@EXECUTORS
def test_sums_match_a_plain_formula(cases, make):
    case = cases("ragged-32")
    buffers = case.buffers()
    make(case.schedule).values(buffers)
    x = case.inputs[0]
    terms = np.sin(x[np.arange(9) * 3 % 5] * x[1:])
    expected = [0.0, terms[:3].sum(), 0.0, terms[3], terms[4:].sum(), 0.0]
    np.testing.assert_allclose(buffers[2], expected, **CLOSE)


@EXECUTORS
def test_places_that_nobody_stores_to_stay_zero(cases, make):
    case = cases("grid")
    buffers = case.buffers()
    make(case.schedule).values(buffers)
    stored = {0, 5, 10, 15, 2, 3, 7, 8, 12, 13}
    assert {int(place) for place in np.flatnonzero(buffers[3])} == stored


@EXECUTORS
def test_nan_and_infinity_pass_without_a_warning(cases, make):
    case = cases("elementwise-7")
    buffers = case.buffers()
    buffers[0][:2] = np.nan, np.inf
    make(case.schedule).values(buffers)
    assert np.isnan(buffers[2]).tolist() == [True, True, False, False, False, True, True]


@EXECUTORS
def test_a_missing_tangent_is_named(cases, make):
    case = cases("elementwise-7")
    tangents = allocate_rows(case.schedule, 2)
    tangents[2] = None
    with pytest.raises(ValueError, match="buffer 2"):
        make(case.schedule).forward(case.buffers(), tangents, 2)


def test_compiled_values_are_bit_identical_to_numpy_without_elementary_functions(cases):
    case = cases("chain")
    by_numpy, by_numba = case.buffers(), case.buffers()
    NumpyExecutor(case.schedule).values(by_numpy)
    NumbaExecutor(case.schedule).values(by_numba)
    assert by_numpy[3].tolist() == by_numba[3].tolist()


def test_compiled_code_refuses_buffers_of_another_size_type_or_layout(cases):
    case = cases("elementwise-7")
    executor, buffers = NumbaExecutor(case.schedule), case.buffers()
    with pytest.raises(ValueError, match="sizes"):
        executor.values([buffers[0], buffers[1], np.zeros(6)])
    with pytest.raises(TypeError):
        executor.values([buffers[0], buffers[1], np.zeros(7, dtype=np.float32)])
    with pytest.raises(TypeError):
        executor.values([buffers[0], buffers[1], np.zeros(14)[::2]])
    with pytest.raises(ValueError, match="shape"):
        executor.forward(buffers, allocate_rows(case.schedule, 2), 3)
    with pytest.raises(ValueError, match="shape"):
        executor.partials(buffers, [np.zeros((7, 1))])
