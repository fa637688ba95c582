"""Merged launches: the bits of launches one by one, nothing read or computed twice, nothing stored for nobody."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elementary_oracle import Array
from kernels import Access, Affine, KernelBuilder, Launch, NumbaExecutor, NumpyExecutor, Schedule, Table, allocate
from kernels.group import STREAMS
from kernels.llvm import machine, native
from kernels.merged import lower_merged
from kernels.merged_printer import fetches, print_merged
from kernels.merging import MOST_LAUNCHES, segments_of
from kernels.operation import Operation
from kernels.stretches import MOST_CELLS, cuts_of
from kernels.threads import WORK_PER_PIECE, set_num_threads
from programs import RandomProgram, random_programs
from schedules import schedules
from sparsejac.pieces.pieces import in_pieces
from sparsejac.schedules.fusion import lower
from sparsejac.tracing.run import run
from sparsejac.transforms import linearized, pulled, pushed
from traced_functions import program_of

ADD = Operation("add", 2, np.add, "{0} + {1}")
MUL = Operation("multiply", 2, np.multiply, "{0} * {1}")


def filled(schedule: Schedule, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    buffers = allocate(schedule)
    for b in schedule.inputs:
        buffers[b][:] = rng.uniform(0.2, 1.7, size=buffers[b].size)
    return buffers


def wanted(schedule: Schedule) -> list[int]:
    """The buffers that are read from outside."""
    found = [schedule.output, *(guard.buffer for guard in schedule.guards)]
    return found if schedule.aux is None else [*found, schedule.aux]


def check_bits(schedule: Schedule, seed: int = 0) -> None:
    """Merged launches give the bits of launches one by one, and the numbers of the interpreter."""
    executor = NumbaExecutor(schedule)
    merged, single, interpreted = filled(schedule, seed), filled(schedule, seed), filled(schedule, seed)
    executor.results(merged)
    executor.values(single)
    NumpyExecutor(schedule).results(interpreted)
    for b in wanted(schedule):
        np.testing.assert_array_equal(merged[b].view(np.int64), single[b].view(np.int64))
        np.testing.assert_allclose(merged[b], interpreted[b], rtol=1e-12, atol=1e-12)


def loops_of(schedule: Schedule) -> list[Any]:
    return [loop for segment in segments_of(schedule) for loop in segment.loops]


def product(box: tuple[int, ...], left: Access, right: Access, store: Access, reduced: int = 0) -> Launch:
    k = KernelBuilder(2)
    kernel = k.build(k.apply(MUL, 0, 1))
    return Launch(kernel, kernel, box, (left, right), store, (), reduced)


def whole(buffer: int, n: int) -> Access:
    return Access(buffer, Affine((n,), 0, (1,)))


def test_hand_built_schedules(case: Any) -> None:
    executor, buffers = NumbaExecutor(case.schedule), case.buffers()
    executor.results(buffers)
    for b in wanted(case.schedule):
        np.testing.assert_allclose(buffers[b], case.values[b], rtol=1e-14, atol=1e-14)


@settings(max_examples=10, deadline=None)
@given(schedules(), st.integers(0, 9))
def test_random_schedules(schedule: Schedule, seed: int) -> None:
    check_bits(schedule, seed)


@settings(max_examples=10, deadline=None)
@given(random_programs, st.sampled_from(["f", "pushed", "pulled", "values"]))
def test_random_programs_and_their_derivatives(f: RandomProgram, name: str) -> None:
    with np.errstate(all="ignore"):
        program = program_of(f, f.point())
        made = {
            "f": lambda: program,
            "pushed": lambda: pushed(program).program,
            "pulled": lambda: pulled(program, 2).program,
            "values": lambda: linearized(program).values.program,
        }[name]()
        schedule = lower(in_pieces(made), values_only=True).schedule
        executor, merged, single = NumbaExecutor(schedule), filled(schedule), filled(schedule)
        executor.results(merged)
        executor.values(single)
    for b in wanted(schedule):
        np.testing.assert_array_equal(merged[b], single[b])


@settings(max_examples=40, deadline=None)
@given(schedules(), st.booleans())
def test_what_is_read_was_written_before(schedule: Schedule, adds: bool) -> None:
    written = {launch.store.buffer: k for k, launch in enumerate(schedule.launches)}
    late = {
        load.buffer
        for k, one in enumerate(schedule.launches)
        for load in one.loads
        if written.get(load.buffer, -1) >= k
    }
    loops = [loop for segment in segments_of(schedule, adds=adds) for loop in segment.loops]
    last = {store.buffer: k for k, loop in enumerate(loops) for store in (*loop.stores, *loop.sums)}
    for k, loop in enumerate(loops):
        assert all(last.get(load.buffer, -1) < k for load in loop.loads if load.buffer not in late)


def test_a_value_and_its_tangent_are_one_loop() -> None:
    """exp is computed once, x is read once, and what only this loop reads is not stored."""

    def f(x: Any) -> Any:
        return np.exp(x) * np.sin(x)

    made = pushed(program_of(f, np.ones(50))).program
    (loop,) = loops_of(lower(made, values_only=True).schedule)
    names = [i.operation.name for i in loop.kernel.instructions if i.operation is not None]
    assert sorted(names) == ["add", "cos", "exp", "multiply", "multiply", "multiply", "multiply", "multiply", "sin"]
    assert len(loop.loads) == 2  # x and its tangent
    assert len(loop.stores) == 2  # f(x) and the result's tangent


def test_a_result_read_elsewhere_ends_a_loop() -> None:
    """b = a a at each point; c = b, read one place further on, times a: another loop, as b has to be there before."""
    n = 40
    k = [product((n,), whole(0, n), whole(0, n), whole(1, n))]
    shifted = Access(1, Affine((n - 1,), 1, (1,)))
    k.append(product((n - 1,), shifted, whole(0, n - 1), whole(2, n - 1)))
    schedule = Schedule((n, n, n - 1), (0,), tuple(k), output=2)
    assert len(loops_of(schedule)) == 2
    check_bits(schedule)


def test_a_group_waits_for_what_it_runs_with() -> None:
    """The first and the last of three launches read the same vector over one box; the last one needs the second one."""
    n = 40
    launches = (
        product((n,), whole(0, n), whole(0, n), whole(1, n)),
        product((n, 2), *(Access(0, Affine((n, 2), 0, (1, 0))),) * 2, whole(2, n), reduced=1),
        product((n,), whole(0, n), whole(2, n), whole(3, n)),
    )
    schedule = Schedule((n, n, n, n), (0,), launches, output=3, aux=1)
    loops = loops_of(schedule)
    assert [[store.buffer for store in loop.stores] for loop in loops] == [[2], [1, 3]]
    check_bits(schedule)


def test_sums_over_one_box_are_one_loop() -> None:
    n, m = 7, 5
    matrix = Access(0, Affine((n, m), 0, (m, 1)))
    vectors = [Access(b, Affine((n, m), 0, (0, 1))) for b in (1, 2)]
    launches = tuple(product((n, m), matrix, v, whole(3 + t, n), reduced=1) for t, v in enumerate(vectors))
    schedule = Schedule((n * m, m, m, n, n), (0, 1, 2), launches, output=3, aux=4)
    (loop,) = loops_of(schedule)
    assert (loop.row_box, loop.sum_box, len(loop.loads)) == ((n,), (m,), 3)
    check_bits(schedule)


def test_numbers_come_first_and_together() -> None:
    """Two numbers that nothing else is needed for are one loop, though one of them is first read late."""
    n = 30

    def f(x: Any, a: float, b: float) -> Any:
        y = x * (2.0 / a)
        return y[::-1] * (3.0 / b) + y

    program = run(f, [np.ones(n), 1.5, 2.5], 0).program
    schedule = lower(program, values_only=True).schedule
    boxes = [loop.box for loop in loops_of(schedule)]
    assert boxes.count(()) <= 1
    check_bits(schedule)


def test_one_buffer_stored_to_twice() -> None:
    """Two pieces of one vector from one loop: in machine code they are arrays of their own, that do not meet."""
    n = 300

    def f(x: Any) -> Any:
        return np.concatenate([np.exp(x), np.exp(x) * x])

    schedule = lower(program_of(f, np.ones(n)), values_only=True).schedule
    loops = [loop for loop in loops_of(schedule) if len(loop.stores) == 2]
    assert len(loops) == 1
    lowered = lower_merged(loops[0])
    stored = [lowered.slots[slot] for slot, _ in lowered.shape.stores]
    assert stored[0] == stored[1]
    assert len({slot for slot, _ in lowered.shape.stores}) == 2
    check_bits(schedule)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 1000])
def test_rolls_are_stretches_without_tables(n: int) -> None:
    def f(x: Any) -> Any:
        return np.roll(x, 1) * np.roll(x, -2) + x

    made = pushed(program_of(f, np.linspace(0.0, 1.0, n))).program
    schedule = lower(made, values_only=True).schedule
    if n == 1000:
        (loop,) = loops_of(schedule)
        lowered = lower_merged(loop)
        assert lowered.tables == ()
        assert set(lowered.shape.kinds) == {"unit"}
        assert lowered.geometry[0] == 3  # rows 0, 1 ... 997, and the last two
    check_bits(schedule)


def test_cuts_of_tables() -> None:
    n = 100
    places = np.arange(n)
    assert cuts_of([Table((n,), np.roll(places, 3)), Table((n,), np.roll(places, -1))], n) == [0, 3, n - 1, n]
    assert cuts_of([Table((n,), np.random.default_rng(0).permutation(n))], n) == [0, n]
    pairs = np.stack([np.roll(places, 4), np.roll(places, 4) + n], axis=1).reshape(-1)
    assert cuts_of([Table((n, 2), pairs)], n) == [0, 4, n]
    assert len(cuts_of([Table((n,), np.roll(places, k)) for k in range(1, 40)], n)) <= MOST_CELLS + 1


def test_many_launches_stay_apart() -> None:
    """Deep programs have one text for many launches."""
    n = 3
    launches = tuple(product((n,), whole(k, n), whole(0, n), whole(k + 1, n)) for k in range(MOST_LAUNCHES + 1))
    schedule = Schedule((n,) * (len(launches) + 1), (0,), launches, output=len(launches))
    assert len(loops_of(schedule)) == len(launches)
    assert len(loops_of(Schedule((n,) * 9, (0,), launches[:8], output=8))) == 1


def test_loops_have_few_streams() -> None:
    n = 20
    launches = tuple(product((n,), whole(0, n), whole(1 + k, n), whole(51 + k, n)) for k in range(50))
    schedule = Schedule((n,) * 101, tuple(range(51)), launches, output=100)
    kept = [load.buffer for loop in loops_of(schedule) for load in loop.loads]
    assert len(kept) > 50
    assert all(len(loop.loads) + len(loop.stores) <= STREAMS + 2 for loop in loops_of(schedule))
    check_bits(schedule)


def test_threads_give_the_same_bits() -> None:
    n = WORK_PER_PIECE // 2

    def f(x: Any) -> Any:
        return np.roll(np.exp(x), 1) * np.sin(x) + np.roll(x, -5) ** 3

    schedule = lower(pushed(program_of(f, np.linspace(0.0, 1.0, n))).program, values_only=True).schedule
    found = []
    for threads in (1, 3):
        set_num_threads(threads)
        try:
            buffers = filled(schedule)
            NumbaExecutor(schedule).results(buffers)
            found.append([buffers[b].copy() for b in wanted(schedule)])
        finally:
            set_num_threads(None)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(
    not native.is_available() or "+avx2" not in machine.processor()[1].split(","),
    reason="the processor has no AVX2",
)
def test_loops_with_several_results_are_vectorised() -> None:
    def f(x: Any) -> Any:
        return (x[1:] - x[:-1]) * np.sqrt(x[1:] + 2.0)

    (loop,) = loops_of(lower(pushed(program_of(f, np.ones(90))).program, values_only=True).schedule)
    text = native.assembly(print_merged(lower_merged(loop).shape))
    assert len(loop.stores) == 2
    assert len(re.findall(r"\sv(?:mul|div|add|sub|sqrt)pd\s.*%[yz]mm", text)) >= 5


def far(buffer: int, n: int, table: bool, seed: int = 0) -> Access:
    """Places all over a buffer of 3 n numbers, by a table or by a stride."""
    if not table:
        return Access(buffer, Affine((n,), 2, (3,)) if n else Affine((0,), 0, (3,)))
    return Access(buffer, Table((n,), np.random.default_rng(seed).permutation(3 * n)[:n].astype(np.int32)))


ROOT = Operation("sqrt", 1, np.sqrt, "math.sqrt({0})", weight=4)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("n", [0, 1, 31, 32, 127, 128, 129, 300])
def test_far_numbers_are_fetched_before_they_are_computed_with(n: int, table: bool) -> None:
    k = KernelBuilder(2)
    kernel = k.build(k.apply(MUL, k.apply(ROOT, 0), 1))
    store = Access(2, Affine((n,), 0, (2,)))
    launches = [Launch(kernel, kernel, (n,), (far(0, n, table), whole(1, n)), store, ())]
    launches += [product((n,), far(0, n, table), whole(1, n), Access(2, Affine((n,), 1 if n else 0, (2,))))]
    schedule = Schedule((3 * n, n, 2 * n), (0, 1), tuple(launches), output=2)
    (loop,) = loops_of(schedule)
    assert n <= 1 or fetches(lower_merged(loop).shape)
    check_bits(schedule)


def test_far_numbers_over_two_dimensions() -> None:
    m, n = 5, 70
    k = KernelBuilder(2)
    kernel = k.build(k.apply(MUL, k.apply(ROOT, 0), 1))
    loads = (Access(0, Affine((m, n), 1, (0, 3))), Access(0, Affine((m, n), 0, (3, 0))))
    launch = Launch(kernel, kernel, (m, n), loads, Access(1, Affine((m, n), 0, (1, m))), ())
    schedule = Schedule((3 * n, m * n), (0,), (launch,), output=1)
    assert fetches(lower_merged(loops_of(schedule)[0]).shape)
    check_bits(schedule)


def test_what_is_fetched_is_computed_in_vectors() -> None:
    if not native.is_available() or "+avx2" not in machine.processor()[1].split(","):
        pytest.skip("the processor has no AVX2")
    n = 90
    k = KernelBuilder(1)
    kernel = k.build(k.apply(ROOT, 0))
    launch = Launch(kernel, kernel, (n,), (far(0, n, table=True),), whole(1, n), ())
    (loop,) = loops_of(Schedule((3 * n, n), (0,), (launch,), output=1))
    text = native.assembly(print_merged(lower_merged(loop).shape))
    assert re.search(r"\svsqrtpd\s.*%[yz]mm", text)


def columns(m: int, n: int, rows: int = 1) -> Schedule:
    """Sums of the columns of matrices m x n, each times a number of its row, and of their squares."""
    box, row_box = ((n, m), (n,)) if rows == 1 else ((rows, n, m), (rows, n))
    steps = (1, n) if rows == 1 else (m * n, 1, n)
    matrix = Access(0, Affine(box, 0, steps))
    vector = Access(1, Affine(box, 0, (*(0 for _ in row_box), 1)))
    sizes = (rows * m * n, m, rows * n, rows * n)
    stores = [Access(b, Affine(row_box, 0, (n, 1)[-len(row_box) :])) for b in (2, 3)]
    launches = tuple(
        product(box, matrix, other, store, reduced=1) for other, store in zip((vector, matrix), stores, strict=True)
    )
    return Schedule(sizes, (0, 1), launches, output=2, aux=3)


@pytest.mark.parametrize("shape", [(3, 8), (1, 9), (0, 8), (5, 256), (4, 257), (7, 600)])
@pytest.mark.parametrize("rows", [1, 3])
def test_neighbouring_rows_are_added_up_side_by_side(shape: tuple[int, int], rows: int) -> None:
    schedule = columns(*shape, rows)
    (loop,) = loops_of(schedule)
    assert lower_merged(loop).shape.across
    check_bits(schedule)
    buffers = filled(schedule)
    NumbaExecutor(schedule).results(buffers)
    matrix = buffers[0].reshape(rows, *shape)
    np.testing.assert_allclose(buffers[2], (matrix * buffers[1][:, None]).sum(axis=1).ravel(), rtol=1e-13)
    np.testing.assert_allclose(buffers[3], (matrix**2).sum(axis=1).ravel(), rtol=1e-13)


def test_sums_along_rows_are_not_added_up_across() -> None:
    n, m = 40, 30
    matrix = Access(0, Affine((n, m), 0, (m, 1)))
    launch = product((n, m), matrix, Access(1, Affine((n, m), 0, (0, 1))), whole(2, n), reduced=1)
    (loop,) = loops_of(Schedule((n * m, m, n), (0, 1), (launch,), output=2))
    assert not lower_merged(loop).shape.across


def test_tables_a_number_of_places_apart_are_one() -> None:
    n = 50
    places = np.random.default_rng(1).permutation(n).astype(np.int32) * 3
    one, two = (Access(0, Table((n,), places + k)) for k in (0, 2))
    other = Access(0, Table((n,), np.roll(places, 1)))
    schedule = Schedule(
        (3 * n, n, n), (0,), (product((n,), one, two, whole(1, n)), product((n,), two, other, whole(2, n))), 1, aux=2
    )
    (loop,) = loops_of(schedule)
    lowered = lower_merged(loop)
    assert len(lowered.tables) == 2
    assert sorted(kind[:4] for kind in lowered.shape.kinds if kind != "unit") == ["near", "tabl", "tabl"]
    check_bits(schedule)


@pytest.mark.parametrize("distance", [0, 2])
def test_tables_of_ragged_rows_are_not_those_of_their_points(distance: int) -> None:
    """As many points as rows, some of which are empty: row r stores where point r reads, and a number of places on."""
    rng, n = np.random.default_rng(4), 50
    places = rng.permutation(n)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rng.integers(0, n, n), minlength=n))])
    read, store = Access(0, Table((n,), places)), Access(1, Table((n,), places + distance))
    launch = replace(product((n,), read, read, store), indptr=indptr)
    check_bits(Schedule((n, n + distance), (0,), (launch,), output=1))


def test_parts_of_one_vector_are_read_where_they_are_made() -> None:
    """Two launches store the even and the odd places of a vector, a third one reads both: one loop, and no vector."""
    n = 60
    parts = [Access(1, Affine((n,), k, (2,))) for k in (0, 1)]
    launches = [product((n,), whole(0, n), whole(0, n), part) for part in parts]
    schedule = Schedule((n, 2 * n, n), (0,), (*launches, product((n,), *parts, whole(2, n))), output=2)
    (loop,) = loops_of(schedule)
    assert [store.buffer for store in loop.stores] == [2]
    assert len(loop.loads) == 1
    check_bits(schedule)


@pytest.mark.parametrize("count", [1, 17, 40])
def test_what_was_written_over_is_not_taken_from_the_loop(count: int) -> None:
    """The second launch writes over places of the first one; a third one reads them under the first one's address."""
    n = 40
    launches = (
        product((n,), whole(0, n), whole(0, n), whole(1, n)),
        product((count,), whole(2, count), whole(2, count), whole(1, count)),
        product((n,), whole(1, n), whole(0, n), whole(3, n)),
    )
    check_bits(Schedule((n, n, n, n), (0, 2), launches, output=3))


def test_lines_run_over_the_box_of_others() -> None:
    """b = x y over a box, c = b b along a line: one loop."""
    m, n = 4, 40
    x, y = Access(0, Affine((m, n), 0, (1, 0))), Access(1, Affine((m, n), 0, (0, 1)))
    launches = (
        product((m, n), x, y, Access(2, Affine((m, n), 0, (n, 1)))),
        product((m * n,), whole(2, m * n), whole(2, m * n), whole(3, m * n)),
    )
    schedule = Schedule((m, n, m * n, m * n), (0, 1), launches, output=3)
    (loop,) = loops_of(schedule)
    assert loop.box == (m, n)
    assert len(loop.stores) == 1
    check_bits(schedule)
