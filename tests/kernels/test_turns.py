"""Calls in turns: the same numbers as one after the other, whatever they touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from random import Random
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import turn_planner, turn_shares
from kernels.address import Affine, Table
from kernels.entry import Entry
from kernels.evaluation import Evaluation, Invocation, RowRange, Touch, TouchKind
from kernels.kernel import KernelBuilder
from kernels.numba_executor import NumbaExecutor
from kernels.source import Source
from kernels.spans import bounds_of, needed
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep
from kernels.turn_planner import plans_of
from kernels.turn_shares import share_turns
from kernels.turns import in_turns
from sparsejac.primitives import PRIMITIVES

NO_SOURCE = Source("none", "", "void()")
NOTHING = 2**63 - 1
Used = tuple[np.ndarray, Affine | Table, TouchKind]
Drawn = tuple[Evaluation[Invocation], list[np.ndarray], dict[int, object]]


def places(touch: Touch, row: int) -> np.ndarray:
    """The places of a row, the slow way."""
    table = np.asarray(touch.address.table())
    if touch.indptr is not None:
        return table[touch.indptr[row] : touch.indptr[row + 1]]
    return table.reshape(touch.address.box[0], -1)[row]


@st.composite
def touches(draw: st.DrawFn) -> Touch:
    """Rows of several points, affine, by a table or ragged."""
    rows, inner = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    array = np.zeros(100)
    kind = draw(st.sampled_from(["affine", "table", "ragged"]))
    if kind == "affine":
        strides = draw(st.integers(-4, 4)), draw(st.integers(-3, 3))
        return Touch(array, Affine((rows, inner), 40, strides), "loads")
    if kind == "table":
        numbers = draw(st.lists(st.integers(0, 99), min_size=rows * inner, max_size=rows * inner))
        return Touch(array, Table((rows, inner), np.array(numbers, np.int32)), "loads")
    indptr = np.append(0, np.cumsum(draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))))
    numbers = draw(st.lists(st.integers(0, 99), min_size=int(indptr[-1]), max_size=int(indptr[-1])))
    return Touch(array, Table((len(numbers),), np.array(numbers, np.int32)), "loads", indptr=indptr)


@given(touches(), st.data())
def test_bounds(touch: Touch, data: st.DataObject) -> None:
    rows = len(touch.indptr) - 1 if touch.indptr is not None else touch.address.box[0]
    inner = sorted(data.draw(st.lists(st.integers(0, rows), max_size=4)))
    edges = np.array([0, *inner, rows])
    low, high = bounds_of(touch, edges)
    for k, (first, last) in enumerate(pairwise(edges)):
        found = [place for row in range(first, last) for place in places(touch, row)]
        assert (low[k], high[k]) == ((min(found), max(found)) if found else (NOTHING, -1))


INTERVALS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)).map(lambda p: (p[0], p[0] + p[1])), min_size=1)


@given(INTERVALS, INTERVALS)
def test_needed_is_never_too_little(earlier: list[tuple[int, int]], later: list[tuple[int, int]]) -> None:
    found = needed(*(tuple(map(np.array, zip(*both, strict=True))) for both in (earlier, later)))  # type: ignore[arg-type]
    for (low, high), last in zip(later, found.tolist(), strict=True):
        met = [k for k, (a, b) in enumerate(earlier) if a <= high and low <= b]
        assert last >= max(met, default=-1)
    neighbours = (both for intervals in (earlier, later) for both in pairwise(intervals))
    if all(a[0] <= b[0] and a[1] <= b[1] for a, b in neighbours):
        assert found.tolist() == [_last(earlier, *interval) for interval in later]


def _last(earlier: Sequence[tuple[int, int]], low: int, high: int) -> int:
    """The last of ascending intervals that begins early enough, if some one before it ends late enough."""
    begun = [k for k, (a, _) in enumerate(earlier) if a <= high]
    return begun[-1] if begun and max(earlier[k][1] for k in begun) >= low else -1


def call(accesses: Sequence[Used], *, align: int, work: int) -> Invocation:
    """A call whose rows sum what they load, and store or add it; affine offsets are numbers of its geometry."""
    geometry = np.array([a.offset if isinstance(a, Affine) else 0 for _, a, _ in accesses], np.int64).view(np.uint64)
    rows = accesses[0][1].box[0]
    found = [
        Touch(array, address, kind, k if isinstance(address, Affine) else "fixed")
        for k, (array, address, kind) in enumerate(accesses)
    ]
    arrays = tuple(array for array, _, _ in accesses)
    return Invocation(NO_SOURCE, (0, rows, geometry, *arrays), RowRange(work, align, touches=lambda: found))


def run(evaluation: Evaluation[Invocation], addresses: dict[int, Sequence[tuple[Affine | Table, TouchKind]]]) -> None:
    """What an entry does, row by row."""
    position, calls = 0, evaluation.invocations
    groups = {turn.first: turn for turn in evaluation.turns}
    while position < len(calls):
        turn = groups.get(position)
        if turn is None:
            _run_rows(calls[position], addresses, *calls[position].arguments[:2])
            position += 1
            continue
        for numbers in turn.numbers.view(np.int64):
            for (array, place), number in zip(turn.changed, numbers[2 * turn.calls :], strict=True):
                array.view(np.int64)[place] = number
            for k in range(turn.calls):
                _run_rows(calls[position + k], addresses, *numbers[2 * k : 2 * k + 2])
        position += turn.calls


def _run_rows(
    one: Invocation, addresses: dict[int, Sequence[tuple[Affine | Table, TouchKind]]], first: int, last: int
) -> None:
    if one.rows.touches is None:  # numbers kept for later
        positions, slots, source, out = one.arguments[2:]
        out[positions[first:last]] = source[slots[first:last]]
        return
    offsets = one.arguments[2].view(np.int64)
    for row in range(first, last):
        value = 1.0 + row
        for array, offset, (address, kind) in zip(one.arguments[3:], offsets, addresses[one.rows.work], strict=True):
            if isinstance(address, Affine):
                where = places(Touch(array, replace(address, offset=int(offset)), kind), row)
            else:
                where = places(Touch(array, address, kind), row)
            assert where.min() >= 0
            for place in where:
                if kind == "loads":
                    value += array[place] * 0.75
                else:
                    array[place] = value if kind == "stores" else array[place] + value


@st.composite
def evaluations(draw: st.DrawFn) -> tuple[Evaluation[Invocation], list[np.ndarray], dict[int, object]]:
    """Calls that load, store and add: from x to arrays in between, and on to the entries; some of them in step."""
    size = draw(st.integers(4, 40))
    reach = draw(st.integers(1, 3))
    arrays = [np.zeros(size * reach + 8) for _ in range(draw(st.integers(2, 4)))]
    x, out = np.linspace(1.0, 2.0, size * reach + 8), arrays[-1]
    calls, addresses = [], {}
    for k in range(draw(st.integers(2, 5))):
        rows = draw(st.sampled_from([size, size, size - 1, max(size // 2, 1), 1]))
        used: list[Used] = []
        chosen = draw(st.lists(st.sampled_from(range(len(arrays))), min_size=1, max_size=2, unique=True))
        for target in chosen:
            adds: TouchKind = draw(st.sampled_from(["stores", "stores", "adds"]))
            used.append((arrays[target], draw(_addresses(rows, reach, size * reach + 8)), adds))
        sources = [array for number, array in enumerate(arrays) if number not in chosen]
        for array in draw(st.lists(st.sampled_from(range(len(sources))), max_size=2)) if sources else []:
            used.append((sources[array], draw(_addresses(rows, reach, size * reach + 8)), "loads"))
        used.append((x, draw(_addresses(rows, reach, size * reach + 8)), "loads"))
        used = [touch for touch in used if touch[2] == "loads"] + [touch for touch in used if touch[2] != "loads"]
        work = 1000 * rows + k
        calls.append(call(used, align=draw(st.sampled_from([1, 1, 2, 4])), work=work))
        addresses[work] = [(address, kind) for _, address, kind in used]
    return Evaluation(calls, [x], out), arrays, addresses


@st.composite
def _addresses(draw: st.DrawFn, rows: int, reach: int, size: int) -> Affine | Table:
    """Rows of `reach` places in step, mostly."""
    kind = draw(st.sampled_from(["step", "step", "step", "close", "table", "back"]))
    if kind == "close":
        return Affine((rows, 2), draw(st.integers(0, 3)), (1, draw(st.integers(0, 2))))
    if kind == "step":
        return Affine((rows, reach), draw(st.integers(0, 3)), (reach, 1))
    if kind == "back":
        return Affine((rows, 1), rows, (-1, 1))
    low = draw(st.integers(0, 3))
    spread = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    return Table((rows, 1), np.minimum(np.arange(rows) * reach + low + np.array(spread), size - 1).astype(np.int32))


@st.composite
def chains(draw: st.DrawFn) -> tuple[Evaluation[Invocation], list[np.ndarray], dict[int, object]]:
    """Numbers stored in step, and loaded by calls that follow, one of a single row; what they are made of changes."""
    size, reach = draw(st.integers(16, 60)), draw(st.integers(1, 2))
    length = size * reach
    x, y, first, second, out = (np.linspace(1.0, 2.0, length + 8) for _ in range(5))
    y_is_changed, y_is_read = draw(st.booleans()), draw(st.booleans())

    def step(rows: int, shift: int = 0) -> Affine:
        return Affine((rows, reach), shift * reach, (reach, 1))

    used: list[list[Used]] = []
    used.append([(y if y_is_read else x, step(size), "loads"), (first, step(size), "stores")])
    if draw(st.booleans()):
        used[-1].append((second, step(size), "stores"))
    else:
        shifts = draw(st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True))
        loads: list[Used] = [(first, step(size - 2, k), "loads") for k in shifts]
        used.append([*loads, (second, step(size - 2), "stores")])
    for _ in range(draw(st.integers(1, 2))):
        kind: TouchKind = draw(st.sampled_from(["stores", "adds"]))
        shifts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=2, unique=True))
        loads = [(draw(st.sampled_from([first, second])), step(size - 6, k), "loads") for k in shifts]
        used.append([*loads, (out, step(size - 6, draw(st.integers(0, 2))), kind)])
    if draw(st.booleans()):
        far = [(array, Affine((1, 2), 0, (0, length - 10 * reach)), "loads") for array in (first, second)]
        used.append([*far, (out, Affine((1, 1), 3, (0, 0)), "adds")])  # type: ignore[list-item]
    if y_is_changed:
        used.append([(x, step(size), "loads"), (y, step(size), "adds")])
    addresses: dict[int, object] = {}
    calls = []
    for k, each in enumerate(used):
        work = 1000 * each[0][1].box[0] + k
        calls.append(call(each, align=draw(st.sampled_from([1, 1, 2, 4])), work=work))
        addresses[work] = [(address, kind) for _, address, kind in each]
    return Evaluation(calls, [x], out), [first, second, y, out], addresses


@given(evaluations() | chains())
def test_the_same_numbers(drawn: tuple[Evaluation[Invocation], list[np.ndarray], dict[int, object]]) -> None:
    evaluation, arrays, addresses = drawn
    begun, wanted = [array.copy() for array in arrays], [arrays[-1]]
    run(evaluation, addresses)  # type: ignore[arg-type]
    expected = [array.copy() for array in wanted]
    for array, numbers in zip(arrays, begun, strict=True):
        array[:] = numbers
    with mock.patch.multiple(turn_planner, SHARED_BYTES=64, LOCAL_BYTES=48, SHORT=2, SMALL=2, SPREAD=1.0):
        plans = plans_of(evaluation, ())
        run(in_turns(evaluation, plans), addresses)  # type: ignore[arg-type]
    for array, values in zip(wanted, expected, strict=True):
        np.testing.assert_array_equal(array, values)


def test_the_same_numbers_by_tasks_in_any_order() -> None:
    """Who is late is late by whole tasks here."""
    left: list[int] = []

    @given(evaluations() | chains(), st.sampled_from([2, 3, 5, 16]), st.randoms(use_true_random=False))
    def check(drawn: Drawn, tasks: int, chance: Random) -> None:
        evaluation, arrays, addresses = drawn
        begun = [array.copy() for array in arrays]
        run(evaluation, addresses)  # type: ignore[arg-type]
        expected = arrays[-1].copy()
        for array, numbers in zip(arrays, begun, strict=True):
            array[:] = numbers
        left.extend(_run_tasks(evaluation, addresses, tasks, chance))
        np.testing.assert_array_equal(arrays[-1], expected)

    check()
    assert min(left) == 0 < max(left)


class Backwards(Random):
    """The last task first."""

    def sample(self, population: Sequence[object], k: int) -> list[object]:  # type: ignore[override]
        return list(population)[::-1]


def test_a_place_is_read_before_a_later_call_writes_to_it() -> None:
    """The second call overwrites what the first one, two rows before, has to read."""
    size = 60
    x, y, out = (np.linspace(1.0, 2.0, size + 2) for _ in range(3))

    def step(shift: int) -> Affine:
        return Affine((size, 1), shift, (1, 1))

    used: list[list[Used]] = [
        [(y, step(2), "loads"), (out, step(0), "stores")],
        [(x, step(0), "loads"), (y, step(0), "stores")],
    ]
    calls = [call(each, align=1, work=1000 * size + k) for k, each in enumerate(used)]
    addresses: dict[int, object] = {1000 * size + k: [touch[1:] for touch in each] for k, each in enumerate(used)}
    left = _run_tasks(Evaluation(calls, [x], out), addresses, 5, Backwards())
    assert left == [4]  # some rows of the second call for each task but the first
    np.testing.assert_array_equal(out[:size], 1.0 + np.arange(size) + np.linspace(1.0, 2.0, size + 2)[2:] * 0.75)


def _run_tasks(
    evaluation: Evaluation[Invocation], addresses: dict[int, object], tasks: int, chance: Random
) -> list[int]:
    """Run what is shared task by task; how many calls each plan leaves for the end."""
    done, calls = 0, evaluation.invocations
    with mock.patch.multiple(turn_planner, SHARED_BYTES=64, LOCAL_BYTES=48, SHORT=2, SMALL=2, SPREAD=1.0):
        plans = plans_of(evaluation, ())
    with mock.patch.multiple(turn_shares, MOST_LATE=1.0, MOST_LEFT=1.0):
        found = [shared for plan in plans if (shared := share_turns(calls, plan, tasks)) is not None]
    for shared in found:
        run(replace(evaluation, invocations=calls[done : shared.first]), addresses)  # type: ignore[arg-type]
        for made, turns in chance.sample(shared.tasks, len(shared.tasks)):
            run(replace(evaluation, invocations=made, turns=[turns]), addresses)  # type: ignore[arg-type]
        run(replace(evaluation, invocations=shared.fixup), addresses)  # type: ignore[arg-type]
        done = shared.last
    run(replace(evaluation, invocations=calls[done:]), addresses)  # type: ignore[arg-type]
    return [len(shared.fixup) for shared in found]


def test_room_for_one_turn() -> None:
    """A flux for each face, then differences of faces, and one number that reads both ends."""
    n = 1000
    x, flux, out = np.linspace(0.0, 1.0, n + 1), np.zeros(n), np.zeros(n)
    accesses = [
        [(x, Affine((n, 1), 1, (1, 1)), "loads"), (flux, Affine((n, 1), 0, (1, 1)), "stores")],
        [(flux, Affine((n - 1, 2), 0, (1, 1)), "loads"), (out, Affine((n - 1, 1), 0, (1, 1)), "stores")],
        [(flux, Affine((1, 2), 0, (0, n - 1)), "loads"), (out, Affine((1, 1), n - 1, (0, 0)), "stores")],
    ]
    calls = [call(used, align=8, work=prod(used[0][1].box)) for used in accesses]  # type: ignore[arg-type]
    evaluation = Evaluation(calls, [x], out)
    addresses = {c.rows.work: [(a, kind) for _, a, kind in used] for c, used in zip(calls, accesses, strict=True)}
    run(evaluation, addresses)  # type: ignore[arg-type]
    expected = out.copy()
    out[:], flux[:] = 0.0, np.nan
    with mock.patch.multiple(turn_planner, SHARED_BYTES=1024, LOCAL_BYTES=1024):
        (plan,) = plans_of(evaluation, ())
        assert plans_of(evaluation, [flux])[0].sizes == []
    turned = in_turns(evaluation, [plan])
    run(turned, addresses)  # type: ignore[arg-type]
    np.testing.assert_array_equal(out, expected)
    assert plan.sizes[0] <= 1024 // 8 + 16
    assert np.flatnonzero(~np.isnan(flux)).tolist() == [0, n - 1]


def test_an_array_of_which_a_part_is_not_stored_stays_whole() -> None:
    """What stands there before the call is read."""
    n = 1000
    x, flux, out = np.zeros(n), np.zeros(n + 8), np.zeros(n)
    calls = [
        call([(x, Affine((n, 1), 0, (1, 1)), "loads"), (flux, Affine((n, 1), 0, (1, 1)), "stores")], align=8, work=n),
        call([(flux, Affine((n, 1), 8, (1, 1)), "loads"), (out, Affine((n, 1), 0, (1, 1)), "stores")], align=8, work=n),
    ]
    with mock.patch.multiple(turn_planner, SHARED_BYTES=1024, LOCAL_BYTES=1024):
        (plan,) = plans_of(Evaluation(calls, [x], out), ())
    assert plan.sizes == []


@pytest.mark.parametrize("fixed", [None, 0, 1])
def test_an_array_of_which_a_text_holds_the_place_stays_whole(fixed: int | None) -> None:
    """A place that is no number of the call cannot move to the room for one turn."""
    n = 1000
    x, flux, out = np.linspace(0.0, 1.0, n), np.zeros(n), np.zeros(n)
    accesses: list[list[Used]] = [
        [(x, Affine((n, 1), 0, (1, 1)), "loads"), (flux, Affine((n, 1), 0, (1, 1)), "stores")],
        [(flux, Affine((n - 1, 1), 1, (1, 1)), "loads"), (out, Affine((n - 1, 1), 0, (1, 1)), "stores")],
    ]
    calls = [call(used, align=8, work=used[0][1].box[0]) for used in accesses]
    if fixed is not None:
        found = [replace(touch, offset="fixed") for touch in calls[fixed].rows.touches()]  # type: ignore[misc]
        calls[fixed] = replace(calls[fixed], rows=replace(calls[fixed].rows, touches=lambda: found))
    evaluation = Evaluation(calls, [x], out)
    addresses = {c.rows.work: [(a, kind) for _, a, kind in used] for c, used in zip(calls, accesses, strict=True)}
    run(evaluation, addresses)
    expected = out.copy()
    out[:], flux[:] = 0.0, np.nan
    with mock.patch.multiple(turn_planner, SHARED_BYTES=1024, LOCAL_BYTES=1024):
        (plan,) = plans_of(evaluation, ())
    assert (plan.sizes == []) == (fixed is not None)
    run(in_turns(evaluation, [plan]), addresses)
    np.testing.assert_array_equal(out, expected)


def test_nothing_to_share_is_left_alone() -> None:
    n = 1000
    x, y, out = np.zeros(n), np.zeros(n), np.zeros(2 * n)
    calls = [
        call([(x, Affine((n, 1), 0, (1, 1)), "loads"), (y, Affine((n, 1), 0, (1, 1)), "stores")], align=1, work=n),
        call([(x, Affine((n, 1), 0, (1, 1)), "loads"), (out, Affine((n, 1), n, (1, 1)), "stores")], align=1, work=n),
    ]
    with mock.patch.multiple(turn_planner, SHARED_BYTES=64, LOCAL_BYTES=64):
        assert plans_of(Evaluation(calls, [x], out), ()) == ()


@pytest.mark.parametrize("n", [700, 5000])
@pytest.mark.parametrize("alone", [0, 1, 2])
def test_compiled(n: int, alone: int) -> None:
    """Sweeps in turns by one entry, the second one with neighbours of what the first one stores.

    Two loads of one array share a number for their place, before or after the load of the other array.
    """
    builder = KernelBuilder(1)
    square = builder.build(builder.apply(PRIMITIVES["multiply"].operation, 0, 0), builder.literal(2.0))
    first = Sweep(
        square,
        (n,),
        (Access(0, Affine((n,), 0, (1,))),),
        tuple(Store(Access(b, Affine((n,), 0, (1,)))) for b in (2, 3)),
    )
    builder = KernelBuilder(3)
    one, other = (k for k in range(3) if k != alone)
    product = builder.apply(PRIMITIVES["multiply"].operation, one, other)
    total = builder.apply(PRIMITIVES["add"].operation, product, alone)
    loads = [Access(2, Affine((n - 3,), k, (1,))) for k in (0, 3)]
    loads.insert(alone, Access(3, Affine((n - 3,), 1, (1,))))
    second = Sweep(builder.build(total), (n - 3,), tuple(loads), (Store(Access(1, Affine((n - 3,), 2, (1,)))),))
    schedule = Schedule((n,), (0,), (), 0)
    executor = NumbaExecutor(schedule)
    x, out = np.empty(n), np.empty(n)
    arrays = [x, out, np.zeros(n), np.zeros(n)]
    evaluation = Evaluation(executor.sweep_invocations([first, second], arrays), [x], out)
    with mock.patch.multiple(turn_planner, SHARED_BYTES=4096, LOCAL_BYTES=4096):
        plans = plans_of(evaluation, ())
    assert [len(plan.sizes) for plan in plans] == [2]
    turned = in_turns(evaluation, plans)
    given_x = np.linspace(0.5, 1.5, n)
    results = []
    for each in (evaluation, turned):
        result = np.zeros(n)
        entry = Entry(each)
        assert entry.function(result, given_x, entry.table(each).numbers) == 0
        results.append(result)
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(results[0][2:-1], given_x[:-3] ** 2 * given_x[3:] ** 2 + 2.0)
