"""Sweeps: several results at each point, stored or added, by NumPy and by compiled code, against a plain loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import sweep as sweep_module
from kernels.address import Address, Affine, Table
from kernels.entry import Entry
from kernels.evaluation import DONE, INFINITE, Evaluation
from kernels.executor import Executor
from kernels.kernel import KernelBuilder
from kernels.module import compile_source
from kernels.numba_executor import NumbaExecutor
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep, lower_sweep, row_room
from kernels.sweep_printer import print_sweep
from kernels.tape_executor import TapeExecutor
from sparsejac.primitives import PRIMITIVES
from sweeps import heavy_kernel, plain

NOTHING = Schedule((1,), (0,), (), 0)
EXECUTORS = [NumpyExecutor(NOTHING), TapeExecutor(NOTHING), NumbaExecutor(NOTHING)]


def kernel_of(outputs: int):
    """Loads a, b; results a*b, a+b, a-b, a, 2.0 as many as asked for."""
    build = KernelBuilder(2)
    results = [build.apply(PRIMITIVES[name].operation, 0, 1) for name in ("multiply", "add", "subtract")]
    return build.build(*[*results, 0, build.literal(2.0)][:outputs])


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """A sweep from buffer 0 into buffers 1 (where it stores) and 2 (to which it adds)."""
    box = tuple(draw(st.lists(st.integers(0, 4), min_size=0, max_size=3)))
    points = int(np.prod(box, dtype=int))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))

    def load() -> Address:
        if draw(st.booleans()):
            return Affine(box, 40, tuple(draw(st.integers(-3, 3)) for _ in box))
        return Table(box, random.integers(0, 80, points).astype(draw(st.sampled_from([np.int32, np.int64]))))

    outputs = draw(st.integers(1, 5))
    width = draw(st.integers(outputs, 6))
    order = draw(st.permutations(range(outputs)))
    strides = tuple(int(width * np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    targets = [Affine(box, k, strides) for k in order]
    stores = []
    for target in targets:
        if draw(st.booleans()):
            stores.append(Store(Access(2, Table(box, random.integers(0, 9, points).astype(np.int32))), adds=True))
        else:
            as_table = draw(st.booleans())
            address: Address = Table(box, target.table()) if as_table else target
            stores.append(Store(Access(1, address)))
    return Sweep(kernel_of(outputs), box, (Access(0, load()), Access(0, load())), tuple(stores))


@given(sweeps())
def test_a_sweep_does_what_a_plain_loop_does(sweep: Sweep) -> None:
    source = np.random.default_rng(1).normal(size=80)
    expected = [source, np.full(400, 7.0), np.zeros(9)]
    plain(sweep, expected)
    for executor in EXECUTORS[:2]:
        found = [source, np.full(400, 7.0), np.zeros(9)]
        executor.sweep([sweep], found)
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)


SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 1, 4)]


@pytest.mark.parametrize("executor", EXECUTORS, ids=["numpy", "tape", "numba"])
@pytest.mark.parametrize("box", SHAPES)
@pytest.mark.parametrize("adds", [False, True])
def test_compiled_and_interpreted_sweeps(executor: Executor, box: tuple[int, ...], adds: bool) -> None:
    points = int(np.prod(box, dtype=int))
    strides = tuple(int(3 * np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    random = np.random.default_rng(2)
    loads = (Access(0, Affine(box, 60, (1,) * len(box))), Access(0, Table(box, random.integers(0, 80, points))))
    scattered = Table(box, random.integers(0, 5, points).astype(np.int32))
    stores = [Store(Access(1, Affine(box, k, strides))) for k in (1, 0, 2)]
    stores[2:] = [Store(Access(2, scattered), adds=True)] * 2 if adds else []
    sweep = Sweep(kernel_of(len(stores)), box, loads, tuple(stores))
    expected, found = ([np.arange(80.0), np.full(200, 7.0), np.zeros(5)] for _ in range(2))
    plain(sweep, expected)
    executor.sweep([sweep], found)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_sizes_share_code() -> None:
    sources = set()
    for n in (5, 50):
        stores = tuple(Store(Access(1, Affine((n,), k, (2,)))) for k in range(2))
        loads = (Access(0, Affine((n,), 0, (1,))), Access(0, Affine((n,), 1, (1,))))
        sources.add(print_sweep(lower_sweep(Sweep(kernel_of(2), (n,), loads, stores)).shape).whole)
    assert len(sources) == 1


BLOCK_BOXES = [(64,), (65,), (200,), (3, 70), (2, 3, 129)]


@pytest.mark.parametrize("executor", EXECUTORS, ids=["numpy", "tape", "numba"])
@pytest.mark.parametrize("box", BLOCK_BOXES)
def test_stores_that_meet_are_left_to_a_loop_of_their_own(executor: Executor, box: tuple[int, ...]) -> None:
    """Bit by bit: what is added is added in the same order."""
    points = int(np.prod(box, dtype=int))
    random = np.random.default_rng(3)
    places = random.integers(0, 40, points).astype(np.int32)
    loads = tuple(Access(0, Table(box, places + d)) for d in (0, 2, 1000))
    strides = tuple(int(20 * np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    meeting = random.integers(0, 9, points).astype(np.int32)
    stores = (
        Store(Access(1, Affine(box, 3, strides))),
        Store(Access(1, Table(box, 20 * random.permutation(points)))),
        Store(Access(2, Table(box, meeting)), adds=True),
        Store(Access(2, Table(box, meeting[::-1])), adds=True),
        Store(Access(2, Affine(box, 9, (0,) * len(box))), adds=True),
    )
    sweep = Sweep(heavy_kernel(len(stores)), box, loads, stores)
    expected, found = ([np.arange(1.0, 1101.0), np.full(20 * points, 7.0), np.zeros(10)] for _ in range(2))
    plain(sweep, expected)
    executor.sweep([sweep], found)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
    lowered = lower_sweep(sweep)
    assert lowered.shape.block % 8 == 0 < lowered.shape.block
    assert lowered.shape.tables == 4  # one for the loads, three for the stores
    assert lowered.geometry.tolist().count(1000) == 1


def test_distances_between_tables() -> None:
    """Near ones are part of the text, far ones are not; tables that are no shifts of each other stay apart."""
    random = np.random.default_rng(5)
    places = random.integers(100, 200, 50)

    def lowered(distance: int, spoilt: bool = False):
        other = places + distance
        other[-1] += spoilt
        stores = (Store(Access(1, Affine((50,), 0, (1,)))),)
        loads = (Access(0, Table((50,), places)), Access(0, Table((50,), other)))
        return lower_sweep(Sweep(kernel_of(1), (50,), loads, stores))

    texts = {d: print_sweep(lowered(d).shape).whole for d in (1, -1, 2, 90, -90, 5000)}
    assert len(set(texts.values())) == 4
    assert texts[90] == texts[-90] == texts[5000]
    assert [lowered(d).shape.tables for d in texts] == [1] * 6
    assert lowered(3, spoilt=True).shape.tables == 2


def rows_then_sums(n: int, m: int, width: int, *, still: bool) -> Sweep:
    """Entries of a dense matrix in blocks of `width`, and what a row adds to its own diagonal block or to a table's."""
    box = (n, m)
    loads = (
        Access(0, Affine(box, 40, (1, 0))),
        Access(0, Affine(box, 45, (0, 2))),
        Access(0, Affine(box, 50, (1, 1))),
    )
    line = width * m
    stored = [Store(Access(1, Affine(box, k, (line, width)))) for k in range(width)]
    diagonal = Table(box, np.repeat(np.arange(n) * line, m).astype(np.int32))
    step = line + (width if n <= m else 0)
    places: list[Address] = [Affine(box, k, (step, 0)) if still else diagonal for k in range(width - 1)]
    added = [Store(Access(1, place), adds=True) for place in places]
    kernel = heavy_kernel(width)
    negative = PRIMITIVES["negative"].operation
    build = KernelBuilder(3)
    values = build.replay(kernel, range(3))
    first = [values[output] for output in kernel.outputs]
    outputs = [*first, *(build.apply(negative, value) for value in first[: len(added)])]
    return Sweep(build.build(*outputs), box, loads, (*stored, *added), by_rows=True)


def rows_first(sweep: Sweep, buffers: list[np.ndarray]) -> None:
    """All that is stored, then, point after point, what is added."""
    for adds in (False, True):
        chosen = [k for k, store in enumerate(sweep.stores) if store.adds is adds]
        outputs = tuple(sweep.kernel.outputs[k] for k in chosen)
        kernel = replace(sweep.kernel, outputs=outputs)
        plain(replace(sweep, kernel=kernel, stores=tuple(sweep.stores[k] for k in chosen)), buffers)


@pytest.mark.parametrize("executor", EXECUTORS, ids=["numpy", "tape", "numba"])
@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (5, 3), (2, 130), (2, 2100)])
def test_rows_are_stored_before_anything_is_added(executor: Executor, still: bool, n: int, m: int) -> None:
    """Bit by bit, though what a row adds to a place is summed in a register; rows longer than any block included."""
    sweep = rows_then_sums(n, m, 3, still=still)
    assert (sweep.box[-1] <= row_room(sweep.kernel)) == (m < 2100)
    source = np.random.default_rng(4).uniform(1.0, 2.0, 5000)
    expected, found = ([source, np.full(3 * m * n + 3, 7.0)] for _ in range(2))
    rows_first(sweep, expected)
    executor.sweep([sweep], found)
    np.testing.assert_array_equal(expected[1], found[1])


def test_numbers_of_either_sign_share_a_column_of_a_block() -> None:
    shape = lower_sweep(rows_then_sums(3, 70, 3, still=True)).shape
    assert shape.block
    assert shape.still
    assert print_sweep(shape).text.count("block[i1 - first") == 2  # the last result comes twice


@pytest.mark.parametrize("n", [4, 64, 67])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("spoilt", [None, 0, -1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sweeps_tell_of_what_is_not_finite(n: int, adds: bool, spoilt: int | None, value: float) -> None:
    executor, places = NumbaExecutor(NOTHING), np.arange(n, dtype=np.int32) // 2
    address = Table((n,), places) if adds else Affine((n,), 0, (1,))
    stores = [Store(Access(1, address), adds=adds), Store(Access(2, Affine((n,), 0, (1,))))]
    loads = tuple(Access(0, Affine((n,), 0, (1,))) for _ in range(3))
    sweep = Sweep(heavy_kernel(2), (n,), loads, tuple(stores))
    source, out, other, flag = np.full(n, 2.0), np.zeros(n), np.zeros(n), np.zeros(1)
    if spoilt is not None:
        source[spoilt] = value
    (call,) = executor.sweep_invocations([sweep], [source, out, other], checked=1, flag=flag)
    compile_source(call.source)(*call.arguments)
    assert flag[0] == float(spoilt is not None)
    (call,) = executor.sweep_invocations([sweep], [source, out, other], checked=3, flag=flag)
    assert call.source == print_sweep(lower_sweep(sweep).shape)


def test_tables_are_read_in_blocks_from_any_block_on() -> None:
    """As threads do: a loop that begins at a later block finds the numbers of its own points."""
    n, random = 203, np.random.default_rng(6)
    loads = tuple(Access(0, Table((n,), random.integers(0, 80, n))) for _ in range(3))
    order = random.permutation(n).astype(np.int32)
    stores = tuple(Store(Access(1, Table((n,), 3 * order + k))) for k in range(3))
    sweep = Sweep(heavy_kernel(3), (n,), loads, stores)
    executor, code = NumbaExecutor(NOTHING), lower_sweep(sweep)
    assert code.shape.in_blocks
    assert code.shape.tables == 4
    source = random.uniform(1.0, 2.0, 80)
    whole, pieces = np.zeros(3 * n), np.zeros(3 * n)
    executor.sweep([sweep], [source, whole])
    (call,) = executor.sweep_invocations([sweep], [source, pieces])
    function, cut = compile_source(call.source), 3 * code.shape.block
    function(cut, n, *call.arguments[2:])
    function(0, cut, *call.arguments[2:])
    np.testing.assert_array_equal(whole, pieces)


def test_an_entry_asks_the_flag_and_clears_it() -> None:
    n = 70
    stores = tuple(Store(Access(1, Affine((n,), k, (3,)))) for k in range(3))
    sweep = Sweep(heavy_kernel(3), (n,), tuple(Access(0, Affine((n,), 0, (1,))) for _ in range(3)), stores)
    x, out, flag = np.empty(n), np.empty(3 * n), np.zeros(1)
    calls = NumbaExecutor(NOTHING).sweep_invocations([sweep], [x, out], checked=1, flag=flag)
    evaluation = Evaluation(calls, [x], out, checks_finite=True, flag=flag)
    entry = Entry(evaluation)
    table, given, found = entry.table(evaluation), np.ones(n), np.empty(3 * n)
    assert entry.function(found, given, table.numbers) == DONE
    given[-1] = np.inf
    assert entry.function(found, given, table.numbers) == INFINITE
    given[-1] = 1.0
    assert entry.function(found, given, table.numbers) == DONE
    given[:] = 2.83e-154  # each result is finite, and so large that their sum is not: whoever asks looks again
    assert entry.function(found, given, table.numbers) == INFINITE
    assert np.isfinite(found).all()


@given(st.integers(1, 70), st.integers(1, 4), st.integers(0, 4), st.integers(1, 16), st.sampled_from([1, 40, 1 << 15]))
def test_tables_in_blocks(length: int, count: int, loaded: int, block: int, cached: int) -> None:
    """Block by block: the first tables one after the other, then the others point by point, filled up with zeros."""
    loaded = min(loaded, count)
    tables = [np.arange(length, dtype=np.int32) + 1000 * (k + 1) for k in range(count)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_module, "_CACHED", cached)
        found = sweep_module._interleaved_in_blocks(tables, loaded, block, np.int64).tolist()
    expected = []
    for first in range(0, length, block):
        points = range(first, first + block)
        expected += [int(t[p]) if p < length else 0 for t in tables[:loaded] for p in points]
        expected += [int(t[p]) if p < length else 0 for p in points for t in tables[loaded:]]
    assert found == expected
