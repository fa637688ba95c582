"""Every strategy against the dense Jacobian, on random schedules and on infinities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from coloring import color
from kernels import Access, Affine, Launch, NumpyExecutor, Schedule, allocate
from schedules import chain_kernels, dense, schedules, stencil
from sparsejac.elimination.terms import merge
from sparsejac.patterns.pattern import Pattern
from sparsejac.patterns.sparsity import detect
from sparsejac.strategies import STRATEGIES as ALL
from sparsejac.strategies.cost import Seeds, gather_facts
from sparsejac.strategies.protocol import Prepared, Strategy

Array = NDArray[np.float64]


# Those that ask for no more than a schedule.
STRATEGIES = {name: strategy for name, strategy in ALL.items() if isinstance(strategy, Strategy)}


def prepare(name: str, schedule: Schedule, pattern: Pattern) -> Prepared:
    problem = STRATEGIES[name].problem
    entries = (pattern.indptr, pattern.indices, pattern.shape)
    return STRATEGIES[name].prepare(schedule, pattern, color(entries, problem) if problem else None)


def run(prepared: Prepared, schedule: Schedule, inputs: list[Array], nnz: int) -> tuple[Array, Array]:
    buffers = allocate(schedule)
    for buffer, array in zip(schedule.inputs, inputs, strict=True):
        buffers[buffer] = array
    out = np.full(nnz, 1e9)
    prepared.data(buffers, NumpyExecutor(schedule), out)
    return buffers[schedule.output], out


def sample(schedule: Schedule, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 2.0, schedule.sizes[b]) for b in schedule.inputs]


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=60, deadline=None)
@given(schedule=schedules())
def test_random_schedules(name: str, schedule: Schedule) -> None:
    pattern = detect(schedule).pattern
    prepared = prepare(name, schedule, pattern)
    for seed in (0, 1):  # the second run meets what the first one left in the workspace
        inputs = sample(schedule, seed)
        value, jacobian, structure = dense(schedule, inputs)
        found_value, found = run(prepared, schedule, inputs, pattern.nnz)
        np.testing.assert_allclose(found_value, value, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found, jacobian[structure], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("name", STRATEGIES)
def test_central_differences(name: str) -> None:
    schedule = stencil(5, 6)
    x = sample(schedule)[0]
    pattern = detect(schedule).pattern
    matrix = pattern.to_scipy().astype(float)
    matrix.data = run(prepare(name, schedule, pattern), schedule, [x], pattern.nnz)[1]
    executor, step = NumpyExecutor(schedule), 1e-6
    for j in range(len(x)):
        ends = []
        for sign in (-1, 1):
            buffers = allocate(schedule)
            buffers[0][:] = x
            buffers[0][j] += sign * step
            executor.values(buffers)
            ends.append(buffers[1])
        np.testing.assert_allclose(matrix.toarray()[:, j], (ends[1] - ends[0]) / (2 * step), atol=1e-8)


def test_counts_of_a_stencil() -> None:
    schedule = stencil(6, 7)
    sparsity = detect(schedule)
    facts = gather_facts(schedule, sparsity)
    assert (facts.launches, facts.partials, facts.nnz, facts.products) == (1, 100, 100, 0)
    assert (facts.fullest_row, facts.fullest_column) == (5, 5)
    passes = {name: prepare(name, schedule, sparsity.pattern).passes for name in STRATEGIES}
    assert passes == {"forward": 1, "reverse": 1, "bidirectional": 1, "identity": 1}
    identity = STRATEGIES["identity"].predict(facts, Seeds())
    assert identity.seconds < STRATEGIES["forward"].predict(facts, Seeds(5)).seconds
    assert STRATEGIES["forward"].predict(facts, Seeds(5)).products == 500
    assert STRATEGIES["bidirectional"].predict(facts, Seeds(3, 2)).products == 500


@pytest.mark.parametrize("name", STRATEGIES)
def test_wide_seeds_go_in_chunks(name: str) -> None:
    """A full row (a sum over 70 columns) and a full column: more colors than one chunk holds."""
    kernel, linearized = chain_kernels(1, (0,), np.array([2.0]))
    load, target = Access(0, Affine((1, 70), 0, (0, 1))), Access(1, Affine((1,), 0, (1,)))
    total = Launch(kernel, linearized, (1, 70), (load,), target, (0,), reduced=1)
    spread = Launch(
        kernel, linearized, (40,), (Access(0, Affine((40,), 3, (0,))),), Access(1, Affine((40,), 1, (1,))), (0,)
    )
    schedule = Schedule((70, 41), (0,), (total, spread), 1)
    pattern = detect(schedule).pattern
    prepared = prepare(name, schedule, pattern)
    assert prepared.passes == {"forward": 3, "reverse": 2, "bidirectional": 2, "identity": 1}[name]
    (x,) = inputs = sample(schedule)
    assert np.allclose(run(prepared, schedule, inputs, pattern.nnz)[1][:70], np.cos(x) + 2.0)
    np.testing.assert_allclose(run(prepared, schedule, inputs, pattern.nnz)[1][70:], np.cos(x[3]) + 2.0)


def test_ordered_partials_are_written_in_place() -> None:
    """Loads in the order of their columns: the partials are the data, and no slot is stored."""
    kernel, linearized = chain_kernels(2, (0, 1), np.ones(2))
    loads = tuple(Access(0, Affine((4,), offset, (1,))) for offset in (0, 1))
    launch = Launch(kernel, linearized, (4,), loads, Access(1, Affine((4,), 0, (1,))), (0, 1))
    schedule = Schedule((5, 4), (0,), (launch,), 1)
    pattern = detect(schedule).pattern
    prepared = prepare("identity", schedule, pattern)
    assert prepared.bytes == 8 * (5 + 1 + 8)  # the pool alone
    inputs = sample(schedule)
    np.testing.assert_allclose(
        run(prepared, schedule, inputs, 8)[1], dense(schedule, inputs)[1][dense(schedule, inputs)[2]]
    )


def test_a_launch_without_rows_takes_no_place_from_the_next() -> None:
    """Both begin at the same pool slot; the second one's rows are the entries and are written in place."""
    kernel, linearized = chain_kernels(1, (0,), np.ones(1))

    def copy(source: int, target: int, count: int) -> Launch:
        line = Affine((count,), 0, (1,))
        return Launch(kernel, linearized, (count,), (Access(source, line),), Access(target, line), (0,))

    schedule = Schedule((3, 3, 2, 3), (0,), (copy(0, 1, 3), copy(1, 2, 0), copy(1, 3, 3)), 3)
    inputs = sample(schedule)
    found = run(prepare("identity", schedule, detect(schedule).pattern), schedule, inputs, 3)[1]
    np.testing.assert_allclose(found, np.diag(dense(schedule, inputs)[1]))


@settings(max_examples=60, deadline=None)
@given(schedules())
def test_identity_fills_any_pattern(schedule: Schedule) -> None:
    """Entries of a given pattern that were never found are zero; found ones that it lacks are left out."""
    inputs = sample(schedule)
    _, jacobian, structure = dense(schedule, inputs)
    other = np.random.default_rng(0).random(structure.shape) < 0.5
    pattern = Pattern.from_coo(*np.nonzero(other), structure.shape)
    found = run(prepare("identity", schedule, pattern), schedule, inputs, pattern.nnz)[1]
    np.testing.assert_allclose(found, np.where(structure, jacobian, 0.0)[other], rtol=1e-12, atol=1e-11)


def test_merge_keeps_terms_of_an_entry_together() -> None:
    merged = merge(np.array([0, 4, 4, 6]), np.array([3, 1, 3, 1, 0, 2]), 5)
    assert merged.indptr.tolist() == [0, 2, 2, 4]
    assert merged.indices.tolist() == [1, 3, 0, 2]
    assert merged.sums is not None
    terms = merged.permute(np.arange(6))
    groups = [sorted(terms[a:b].tolist()) for a, b in zip(merged.sums[:-1], merged.sums[1:], strict=True)]
    assert groups == [[1, 3], [0, 2], [4], [5]]
