"""Schedules: they compute f(x), in few launches, without repeating much work and without growing too large."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.families.registry import FAMILIES
from kernels import NumbaExecutor, NumpyExecutor, Schedule, allocate
from kernels.checks import check_schedule
from kernels.merging import segments_of
from kernels.step import MAX_BOX_DIMENSIONS
from programs import RandomProgram, random_programs
from sparsejac.pieces.pieces import in_pieces
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.program import Program
from sparsejac.schedules.fusion import LARGEST_KERNEL, MOST_STORED, RECOMPUTATION, REPEATED_CHAIN, lower, schedule
from sparsejac.transforms import pulled
from traced_functions import Array, program_of, schedule_of, trace, value_by_schedule


def total_work(made: Schedule) -> int:
    return sum(launch.points * launch.kernel.weight for launch in made.launches)


def work_without_repetition(made: Program) -> int:
    """What each node costs if it is computed once."""
    return sum(n.size * n.primitive.operation.weight for n in made.nodes if n.primitive is not None)


def count_operation(made: Schedule, name: str) -> int:
    """How many times an operation is evaluated, in all."""
    return sum(
        launch.points
        for launch in made.launches
        for i in launch.kernel.instructions
        if i.operation is not None and i.operation.name == name
    )


@settings(max_examples=24)
@given(random_programs, st.integers(0, 3))
def test_schedules_compute_f(f: RandomProgram, k: int) -> None:
    x = f.point(k)
    with np.errstate(all="ignore"):
        expected = f(x.copy())
        found = value_by_schedule(f, x)
        made = schedule_of(f, x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    check_schedule(made)
    for launch in made.launches:
        assert len(launch.box) <= MAX_BOX_DIMENSIONS
        assert prod(launch.box) == launch.points


def bratu(u: Array) -> Any:
    out = np.zeros_like(u[1:-1, 1:-1])
    out[...] = 4.0 * u[1:-1, 1:-1] - u[:-2, 1:-1] - u[2:, 1:-1] - u[1:-1, :-2] - u[1:-1, 2:] - np.exp(u[1:-1, 1:-1])
    return out


def test_a_stencil_of_slices_is_one_launch() -> None:
    """Five loads of x, no intermediate array, no index table."""
    u = np.random.default_rng(0).normal(size=(7, 9))
    (launch,) = schedule_of(bratu, u).launches
    assert launch.box == (5, 7)
    reads = [load for load in launch.loads if load.buffer == 0]
    assert len(reads) == 5
    assert {type(load.address).__name__ for load in launch.loads} == {"Affine"}
    assert np.array_equal(value_by_schedule(bratu, u), bratu(u))


def test_a_shared_cheap_node_is_repeated() -> None:
    """3 x is cheaper to compute again than to store."""

    def f(x: Array) -> Any:
        y = 3.0 * x
        return y[2:] * y[1:-1] + y[:-2]

    assert len(schedule_of(f, np.ones(20)).launches) == 1


@pytest.mark.parametrize(
    "name", [n for n, p in PRIMITIVES.items() if len(p.partials) == 1 and isinstance(getattr(np, n, None), np.ufunc)]
)
def test_a_shared_node_is_not_repeated_beyond_the_stated_factor(name: str) -> None:
    """Six readers of one node, each at its own shift."""
    count, n = 6, 60

    def f(x: Array) -> Any:
        y = getattr(np, name)(x) * 1.0
        return sum(y[k : n - count + k] * x[k] for k in range(count))

    made = schedule_of(f, np.linspace(0.1, 0.9, n))
    weight = max(PRIMITIVES[name].operation.weight, 1)
    assert (count_operation(made, name) - n) * weight <= RECOMPUTATION * n


def test_an_expensive_node_is_computed_once() -> None:
    def f(x: Array) -> Any:
        y = np.power(np.abs(x) + 1.0, 1.7)
        return np.concatenate([y[k:] for k in range(5)])

    assert count_operation(schedule_of(f, np.ones(40)), "power") == 40


@pytest.mark.parametrize("depth", [3, 6, 9])
def test_repeated_work_does_not_double_with_each_stage(depth: int) -> None:
    """y = sin(y[1:]) + y[:-1] repeated: to inline every stage would cost 2**depth."""

    def f(x: Array) -> Any:
        y = x
        for _ in range(depth):
            y = np.sin(y[1:]) * y[:-1]
        return y

    x = np.linspace(0.5, 1.5, 64)
    made = program_of(f, x)
    lowered = schedule(made)
    stages = len([n for n in made.nodes if n.primitive is not None])
    assert total_work(lowered) <= work_without_repetition(made) + RECOMPUTATION * 64 * stages
    assert np.array_equal(value_by_schedule(f, x), f(x))


@pytest.mark.parametrize("length", [5, 50, 120])
def test_a_long_chain_is_not_repeated_for_each_reader(length: int) -> None:
    """Operations that are cheap each, and much together: four readers at their own shifts."""

    def f(x: Array) -> Any:
        y = x
        for k in range(length):
            y = y * x + 0.1 * k
        return y[3:] * y[2:-1] - y[1:-2] * y[:-3]

    made = schedule_of(f, np.linspace(0.1, 0.9, 40))
    operations = 2 * length
    assert total_work(made) <= 40 * (operations + REPEATED_CHAIN) + 3 * 40
    np.testing.assert_array_equal(value_by_schedule(f, np.linspace(0.1, 0.9, 40)), f(np.linspace(0.1, 0.9, 40)))


@pytest.mark.parametrize("terms", [10, 100, 400])
def test_kernels_stay_small(terms: int) -> None:
    """A sum of many products at one point is cut into kernels of the stated size."""

    def f(x: Array) -> Any:
        y = x[:-1]
        for k in range(terms):
            y = y * x[1:] + np.sin(x[:-1]) * (0.1 * k)
        return y

    x = np.linspace(0.1, 0.9, 6)
    made = schedule_of(f, x)
    # A node is taken in as long as the kernel is not full; what its operands still bring is little.
    assert max(len(launch.kernel.instructions) for launch in made.launches) <= LARGEST_KERNEL + 8
    assert len(made.launches) <= 1 + 4 * terms // LARGEST_KERNEL + 4
    np.testing.assert_array_equal(value_by_schedule(f, x), f(x))


def test_a_chain_of_ten_is_one_launch() -> None:
    def f(x: Array) -> Any:
        for _ in range(10):
            x = np.tanh(x) + 0.5
        return x

    x = np.linspace(-1, 1, 5)
    (launch,) = schedule_of(f, x).launches
    assert launch.kernel.weight == 170
    np.testing.assert_array_equal(value_by_schedule(f, x), f(x))


SHAPES = [(2, 3, 4, 5), (3, 2, 2, 3, 4), (2, 1, 3, 1, 4), (1, 1, 1, 1, 1), (2, 3, 0, 4, 2)]
MANY_DIMENSIONS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda u: np.sin(u) * 2.0,
    "inner": lambda u: u[..., 1:, :] - u[..., :-1, :],
    "flipped": lambda u: u[::-1, ..., ::-1] * u,
    "transposed": lambda u: np.transpose(u)[..., ::2] + 1.0,
    "broadcast": lambda u: u * u[:1] + u[..., :1],
    "sum of one axis": lambda u: np.sin(u).sum(axis=1),
    "sum of the ends": lambda u: (u * u).sum(axis=(0, -1)),
    "sum of the middle": lambda u: (u[..., ::-1] * u).sum(axis=(1, 2)),
    "every second": lambda u: u[::2, ..., 1:] * u[:1, ..., :-1],
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("what", MANY_DIMENSIONS)
def test_four_and_five_dimensions(what: str, shape: tuple[int, ...]) -> None:
    f = MANY_DIMENSIONS[what]
    u = np.random.default_rng(1).normal(size=shape)
    made = schedule_of(f, u)
    check_schedule(made)
    assert all(len(launch.box) <= MAX_BOX_DIMENSIONS for launch in made.launches)
    np.testing.assert_allclose(value_by_schedule(f, u), f(u), rtol=1e-14, atol=1e-14)


def test_output_that_is_an_input_or_a_constant_is_copied() -> None:
    x = np.array([1.0, 2.0, 3.0])
    for f in (lambda x: x, lambda x: x[::-1], lambda x: np.ones(2), lambda x: np.zeros(0)):
        made = schedule_of(f, x)
        assert made.output not in made.inputs
        assert np.array_equal(value_by_schedule(f, x), f(x))


def test_later_pieces_overwrite_earlier_ones() -> None:
    def f(x: Array) -> Any:
        y = np.full(7, 0.5)
        y[1:6] = x
        y[::3] = 2.0
        y[3:5] = np.sin(x[:2])
        return y

    x = np.linspace(1, 2, 5)
    assert np.array_equal(value_by_schedule(f, x), f(x))


def test_guards_have_buffers_that_hold_their_decisions() -> None:
    def f(x: Array) -> Any:
        return x[x > 0.5] * 2.0 if x[0] < 1.0 else x

    x = np.array([0.9, 0.1, 0.7])
    made = schedule_of(f, x)
    assert sorted(g.expected.tolist() for g in made.guards) == [[1.0], [1.0, 0.0, 1.0]]


def values_only(f: Callable[..., Any], x: Array) -> Schedule:
    return lower(program_of(f, x), values_only=True).schedule


@settings(max_examples=40)
@given(random_programs, st.integers(0, 3))
def test_schedules_for_values_alone_compute_f(f: RandomProgram, k: int) -> None:
    x = f.point(k)
    with np.errstate(all="ignore"):
        expected = np.asarray(f(x.copy()), dtype=np.float64)
        traced = trace(f, x)
        made = lower(traced.program, values_only=True).schedule
        check_schedule(made)
        buffers = allocate(made)
        for b, given_ in zip(made.inputs, [x, *traced.constants], strict=True):
            buffers[b][:] = given_
        NumpyExecutor(made).results(buffers)
    assert not any(launch.active for launch in made.launches)
    np.testing.assert_allclose(buffers[made.output], expected.reshape(-1), rtol=1e-12, atol=1e-12)


def all_pairs(x: Array) -> Any:
    apart = x[np.newaxis, :, :] - x[:, np.newaxis, :]
    square = np.sum(apart**2, axis=2) + 0.01
    return np.sum((1.0 / np.sqrt(square))[:, :, np.newaxis] * apart, axis=1)


def test_roots_of_pairs_are_computed_once_for_all_coordinates() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    assert count_operation(values_only(all_pairs, x), "sqrt") == 20 * 20
    assert count_operation(schedule_of(all_pairs, x), "sqrt") > 20 * 20


@pytest.mark.parametrize("shape", [(30, 200), (200, 30)])
def test_elementary_functions_are_computed_where_the_vector_is(shape: tuple[int, int]) -> None:
    """Not once for each place at which a table or a sum reads them, if that is more often."""
    n, m = shape
    index = np.random.default_rng(0).integers(0, n, m)
    made = values_only(lambda x: np.bincount(index, weights=np.exp(x)[index] * x[index], minlength=n), np.ones(n))
    assert count_operation(made, "exp") == min(n, m)


def test_large_vectors_are_not_stored_for_the_sake_of_speed() -> None:
    n = MOST_STORED // 512 + 1
    made = values_only(lambda x: np.sum(np.exp(x[:, np.newaxis] - np.arange(512.0)), axis=1), np.ones(n))
    assert max(made.sizes) < MOST_STORED
    few = values_only(lambda x: np.sum(np.exp(x[:, np.newaxis] - np.arange(5.0)), axis=1), np.ones(n))
    assert max(few.sizes) == 5 * n


def test_kernels_of_values_may_be_longer() -> None:
    def f(x: Array) -> Any:
        y = x
        for k in range(2 * LARGEST_KERNEL):
            y = y * x + float(k)
        return y

    x = np.ones(50)
    assert len(values_only(f, x).launches) < len(schedule_of(f, x).launches)


def rows_of_three(x: Any) -> Any:
    """Each row by its length, times a number of its own: all short."""
    matrix = x.reshape(-1, 3)
    length = np.sqrt(np.sum(matrix * matrix, axis=1))
    return matrix / length[:, None] * np.exp(-matrix[:, :1])


def pairs(x: Any) -> Any:
    """Sums over all pairs of points in the plane: rows of two numbers, and sums over many."""
    place = x.reshape(-1, 2)
    apart = place[None, :, :] - place[:, None, :]
    weight = 1.0 / (1.0 + np.sum(apart**2, axis=2))
    return np.sum(weight[:, :, None] * apart, axis=1)


def gathered_rows(x: Any) -> Any:
    table = np.random.default_rng(0).permutation(len(x) // 2)
    return np.sqrt(1.0 + x.reshape(-1, 2)[table] ** 2) * x.reshape(-1, 2)


@pytest.mark.parametrize("f", [rows_of_three, pairs, gathered_rows])
@pytest.mark.parametrize("count", [1, 30, 35, 100])
def test_short_dimensions_are_written_out_with_the_same_bits(f: Any, count: int) -> None:
    x = np.random.default_rng(count).uniform(0.2, 1.0, count * (3 if f is rows_of_three else 2))
    made = program_of(f, x)
    found = []
    for values_only in (False, True):
        lowered = lower(made, values_only=values_only).schedule
        executor, buffers = NumbaExecutor(lowered), allocate(lowered)
        for buffer, values in zip(lowered.inputs, [x, *trace(f, x).constants], strict=True):
            buffers[buffer][:] = values
        (executor.results if values_only else executor.values)(buffers)
        found.append(buffers[lowered.output].copy())
    np.testing.assert_array_equal(found[0].view(np.int64), found[1].view(np.int64))
    np.testing.assert_allclose(found[1], np.ravel(f(x)), rtol=1e-12)


def test_numbers_of_a_point_are_one_loop() -> None:
    x = np.linspace(0.1, 1.0, 300)
    short = lower(program_of(rows_of_three, x), values_only=True).schedule
    (segment,) = segments_of(short)
    (loop,) = segment.loops
    assert (loop.box, len(loop.stores)) == ((100,), 3)
    assert len(loop.loads) == 3  # x, number by number; and nothing else
    assert all(len(launch.box) == 1 for launch in short.launches)


def test_few_points_and_lines_stay_what_they_are() -> None:
    few = lower(program_of(rows_of_three, np.ones(30)), values_only=True).schedule
    assert len(few.launches) < 5
    flat = lower(program_of(lambda x: np.exp(x.reshape(-1, 3)) * 2.0, np.ones(300)), values_only=True).schedule
    assert [launch.box for launch in flat.launches] == [(300,)]


def test_sums_at_the_end_of_much_work_are_stored_where_they_are_made() -> None:
    """Backward through a WENO scheme: at a shifted place one sum of shares is read, and not each of them at several."""
    problem = FAMILIES["weno"].make(400)
    made = pulled(program_of(problem.f, problem.x)).program
    schedule = lower(in_pieces(made), values_only=True).schedule
    last = next(launch for launch in reversed(schedule.launches) if launch.store.buffer == schedule.output)
    read = [load.buffer for load in last.loads if load.buffer not in schedule.inputs]
    assert len(read) == len(set(read)) == 10  # the shares of both fluxes from five places
