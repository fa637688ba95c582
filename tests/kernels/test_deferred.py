"""Sweeps whose rows meet everywhere, among threads: what is added later is what was added at once, bit by bit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernels import deferred, products, threads
from kernels.address import Table
from kernels.deferred import defer
from kernels.entry import Entry
from kernels.evaluation import DONE, INFINITE, Evaluation, Invocation
from kernels.kernel import Kernel, KernelBuilder
from kernels.numba_executor import NumbaExecutor
from kernels.shares import SharedEvaluation, phases_of
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep
from sparsejac.primitives import PRIMITIVES
from tests.support.sweeps import plain

EXECUTOR = NumbaExecutor(Schedule((1,), (0,), (), 0))
SIZE = 40
CRITICAL = (0.0, -0.0, 1.0, -2.5, 5e-324, np.inf)


@pytest.fixture(autouse=True)
def always_cut(monkeypatch):
    """Each call is work enough for threads."""
    monkeypatch.setattr(threads, "WORK_PER_PIECE", 1)
    yield
    threads.set_num_threads(None)


@st.composite
def kernels(draw: st.DrawFn, outputs: int) -> Kernel:
    """Products, quotients, differences and other signs of three loads; results that are alike but for their sign."""
    build = KernelBuilder(3)
    values = [0, 1, 2, build.literal(-1.0), build.literal(0.5)]
    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(["negative", "negative", "multiply", "divide", "subtract", "add", "square"]))
        operation = PRIMITIVES[name].operation
        values.append(build.apply(operation, *(draw(st.sampled_from(values)) for _ in range(operation.arity))))
    return build.build(*(draw(st.sampled_from(values)) for _ in range(outputs)))


def with_all_signs(name: str) -> Kernel:
    """An operation on two loads in both orders, with all signs before and after it."""
    build, operation = KernelBuilder(3), PRIMITIVES[name].operation
    negative = PRIMITIVES["negative"].operation
    pairs = [(0, 1), (1, 0), (0, build.apply(negative, 1)), (build.apply(negative, 0), 1), (0, build.literal(-1.0))]
    found = [build.apply(operation, *pair[: operation.arity]) for pair in pairs]
    return build.build(*found, *(build.apply(negative, value) for value in found))


@given(kernels(4))
@example(with_all_signs("multiply"))
@example(with_all_signs("divide"))
@example(with_all_signs("subtract"))
@example(with_all_signs("add"))
@example(with_all_signs("square"))
def test_values_that_are_told_to_differ_by_their_sign_do_so_in_all_bits(kernel: Kernel) -> None:
    signed = deferred._signed(kernel)
    with np.errstate(all="ignore"):
        for point in itertools.product(CRITICAL, repeat=3):
            values = [np.float64(number) for number in point]
            for i in kernel.instructions:
                operands = (values[k] for k in i.operands)
                values.append(np.float64(i.literal if i.operation is None else i.operation.evaluate(*operands)))
            groups: dict[int, set[bytes]] = {}
            for value, (number, is_negative) in zip(values, signed, strict=True):
                alike = np.float64(-value if is_negative else value)
                groups.setdefault(number, set()).add(b"nan" if np.isnan(alike) else alike.tobytes())
            assert all(len(alike) == 1 for alike in groups.values())


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """A sweep from buffer 0 that stores to and adds to places of buffers 1 and 2 everywhere."""
    box = draw(st.sampled_from([(1,), (2,), (7,), (130,), (200, 2)]))
    points, stored, added = int(np.prod(box)), draw(st.integers(0, 2)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    loads = tuple(Access(0, Table(box, random.integers(0, SIZE, points).astype(np.int32))) for _ in range(3))
    places = random.permutation(SIZE + stored * points).astype(np.int32)
    stores = [Store(Access(1, Table(box, places[SIZE + k * points :][:points]))) for k in range(stored)]
    few = places[: draw(st.sampled_from([1, 5, SIZE]))]
    if draw(st.booleans()):  # what is added changes what was stored, too
        few = places
    for _ in range(added):
        buffer = draw(st.sampled_from([1, 1, 2]))
        stores.append(Store(Access(buffer, Table(box, random.choice(few, points).astype(np.int32))), adds=True))
    if draw(st.booleans()):
        stores.reverse()
    return Sweep(draw(kernels(len(stores))), box, loads, tuple(stores))


def is_in_order(sweep: Sweep) -> bool:
    """Whether nothing is added to a place before it is stored there, as sweeps promise."""
    stored = {int(p): k for s in sweep.stores if not s.adds for k, p in enumerate(s.access.address.table().reshape(-1))}
    for position, store in enumerate(sweep.stores):
        for k, place in enumerate(store.access.address.table().reshape(-1) if store.adds else ()):
            at = stored.get(int(place)) if store.access.buffer == 1 else None
            if at is not None and (at > k or (at == k and not all(not s.adds for s in sweep.stores[:position]))):
                return False
    return True


def size_of(sweep: Sweep) -> int:
    return 1 + max(int(store.access.address.table().max()) for store in sweep.stores)


def evaluation_of(sweep: Sweep, flag: Any = None) -> tuple[Evaluation[Invocation], list[np.ndarray]]:
    arrays = [np.empty(SIZE), np.empty(size_of(sweep)), np.empty(size_of(sweep))]
    calls = EXECUTOR.sweep_invocations([sweep], arrays, None if flag is None else 1, flag)
    calls = [*(products.zero_invocation(array) for array in arrays[1:]), *calls]
    return Evaluation(calls, arrays[:1], arrays[1], (), flag is not None, flag), arrays


@given(sweeps().filter(is_in_order), st.sampled_from([2, 3, 5]))
def test_all_is_added_in_the_order_of_the_rows(sweep: Sweep, number: int) -> None:
    x = np.random.default_rng(1).choice([-0.0, 0.5, -1.25, 3.0, 1e-3, 0.1], SIZE)
    threads.set_num_threads(number)
    found = []
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(deferred, "MOST_BYTES", 10**6)
        expected = [x, np.zeros(size_of(sweep)), np.zeros(size_of(sweep))]
        plain(sweep, expected)
        for way in ("one", "several", "deferred"):
            patch.setattr("kernels.shares.MOST_MET", -1.0 if way == "deferred" else 0.5)
            evaluation, arrays = evaluation_of(sweep)
            out = np.full(size_of(sweep), np.nan)
            if way == "one":
                entry = Entry(evaluation)
                assert entry.function(out, x, entry.table(evaluation).numbers) == DONE
            else:
                assert SharedEvaluation(evaluation).run(out, x) == DONE
            found.append((out, arrays[2]))
    for out, other in found:
        for mine, wanted in zip((out, other), expected[1:], strict=True):
            np.testing.assert_array_equal(mine, wanted)
            assert (np.signbit(mine) == np.signbit(wanted))[~np.isnan(wanted)].all()


def pull(edges: int, nodes: int, *, twin: bool = True, onto: bool = False) -> Sweep:
    """Edges between any two of some nodes: two entries each, which are subtracted from the diagonal.

    Without `twin` there is one entry, and another function of the same number on the diagonal; with `onto`, something
    is added to the entries, too.
    """
    build = KernelBuilder(2)
    difference = build.apply(PRIMITIVES["subtract"].operation, 0, 1)
    force = build.apply(PRIMITIVES["square"].operation, difference)
    other = force if twin else build.apply(PRIMITIVES["add"].operation, force, build.literal(1.0))
    back = build.apply(PRIMITIVES["negative"].operation, other)
    random, box = np.random.default_rng(0), (edges,)
    ends = random.integers(0, nodes, (2, edges)).astype(np.int32)
    there = (nodes + np.arange(2 * edges)).astype(np.int32).reshape(2, edges)
    targets = [there[0], there[1], ends[0], np.where(np.arange(edges) % 7 == 1, there[0], ends[1]) if onto else ends[1]]
    stores = tuple(Store(Access(1, Table(box, table.astype(np.int32))), k > 1) for k, table in enumerate(targets))
    loads = tuple(Access(0, Table(box, end)) for end in ends)
    return Sweep(build.build(force, force, back, back), box, loads, stores)


def test_what_is_stored_with_the_other_sign_is_stored_once() -> None:
    """The numbers that are added need memory of their own only where they stand nowhere else."""
    sizes = [50, 50 + 2 * 300]
    found = {(t, o): defer(pull(300, 50, twin=t, onto=o), sizes) for t in (True, False) for o in (False, True)}
    assert {key: (one.room, one.sums[0].is_own) for key, one in found.items() if one is not None} == {
        (True, False): (0, True),
        (True, True): (300, False),
        (False, False): (300, False),
        (False, True): (300, False),
    }


def test_little_memory_is_used() -> None:
    """Many terms of few places stay with one thread."""
    sweep, sizes = pull(6400, 50, twin=False), [50, 50 + 2 * 6400]
    assert defer(sweep, sizes) is not None
    only_added = Sweep(
        Kernel(2, sweep.kernel.instructions, sweep.kernel.outputs[2:]), sweep.box, sweep.loads, sweep.stores[2:]
    )
    assert defer(only_added, [50, 50]) is None


@pytest.mark.parametrize("twin", [True, False])
def test_rows_that_meet_everywhere_are_cut_in_two_phases(twin: bool) -> None:
    """Every thread finds work in both: the rows, and then the places that they add to."""
    threads.set_num_threads(2)
    evaluation, _ = evaluation_of(pull(3000, 1000, twin=twin))
    phases = phases_of(evaluation)[-2:]
    lengths = [3000, len(np.unique(np.concatenate([s.access.address.table() for s in pull(3000, 1000).stores[2:]])))]
    for (part,), length in zip(phases, lengths, strict=True):
        assert len(part.shares) > 1
        ends = [call.arguments[:2] for share in part.shares for call in share]
        assert [first for first, _ in ends] == [0, *(last for _, last in ends[:-1])]
        assert ends[-1][1] == length


@pytest.mark.parametrize("twin", [True, False])
@pytest.mark.parametrize("place", [0, 999])
def test_what_is_not_finite_is_told(twin: bool, place: int) -> None:
    evaluation, arrays = evaluation_of(pull(3000, 1000, twin=twin), np.zeros(1))
    threads.set_num_threads(3)
    shared, x, out = SharedEvaluation(evaluation), np.ones(1000), np.empty(len(arrays[1]))
    for number, status in ((1.0, DONE), (np.nan, INFINITE), (1.0, DONE), (np.inf, INFINITE)):
        x[place] = number
        assert shared.run(out, x) == status


def test_nothing_stored_that_is_not_finite_is_missed_where_all_is_added() -> None:
    """No result goes to the entries at once then."""
    whole = pull(3000, 1000)
    kernel = Kernel(2, whole.kernel.instructions, whole.kernel.outputs[2:])
    evaluation, arrays = evaluation_of(Sweep(kernel, whole.box, whole.loads, whole.stores[2:]), np.zeros(1))
    threads.set_num_threads(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deferred, "MOST_BYTES", 10**6)
        shared = SharedEvaluation(evaluation)
    assert [len(calls) > 1 for calls in shared.phases[-2:]] == [True, True]
    x, out = np.ones(1000), np.empty(len(arrays[1]))
    assert shared.run(out, x) == DONE
    x[int(whole.loads[0].address.table()[5])] = np.inf
    assert shared.run(out, x) == INFINITE
