"""Rows of results that go through shared memory."""

from __future__ import annotations

import numpy as np
import pytest

from emulated import run_all_ways, same_bits
from gpu_sources import check_source
from kernels import Access, Affine, KernelBuilder, NumbaExecutor, Schedule, Table
from kernels.address import Address
from kernels.cuda import Evaluation, Module, Recorder, print_module
from kernels.cuda.operations import ADD, MULTIPLY
from kernels.sweep import Store, Sweep

NOTHING = Schedule((1,), (0,), (), 0)
N = 5000


def sweep_of(addresses: list[Address], box: tuple[int, ...]) -> Sweep:
    """As many results as addresses: products and sums of neighbours."""
    k = KernelBuilder(2)
    results = [k.apply(MULTIPLY, 0, 1)]
    while len(results) < len(addresses):
        results.append(k.apply(ADD, results[-1], len(results) % 2))
    strides = tuple(int(np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    loads = (Access(0, Affine(box, 0, strides)), Access(0, Affine(box, 1, strides)))
    return Sweep(k.build(*results), box, loads, tuple(Store(Access(1, address)) for address in addresses))


def printed(sweeps: list[Sweep], size: int, checks: bool = False) -> Module:
    x, out = np.empty(N + 1), np.zeros(size)
    tasks = Recorder(NOTHING).sweep_invocations(sweeps, [x, out])
    return print_module({"run": Evaluation(tasks, [x], out, checks_finite=checks)})


def compare(sweeps: list[Sweep], size: int) -> Module:
    """All places are written by the sweeps; those that are not stay poisoned."""
    module = printed(sweeps, size)
    x = np.random.default_rng(0).normal(size=N + 1)
    found = run_all_ways(module, {"run": [x]})["run"].out
    expected = np.full(size, -7.7e301)
    NumbaExecutor(NOTHING).sweep(sweeps, [x, expected])
    assert same_bits(found, expected)
    check_source(module.source, "sm_90")
    return module


def rows(box: tuple[int, ...], width: int, places: list[int], pad: int = 0) -> list[Address]:
    """Places of a row of so many numbers; `pad` numbers lie behind each line of the box."""
    inner = [width, width * box[-1] + pad]
    strides = tuple(inner[: len(box)][::-1])
    return [Affine(box, place, strides) for place in places]


@pytest.mark.parametrize(
    ("width", "places"),
    [(2, [0, 1]), (5, [2, 0, 1, 4, 3]), (5, [4, 0, 1]), (9, [8, 6, 1, 0]), (18, list(range(18)))],
)
def test_rows_are_staged(width: int, places: list[int]) -> None:
    module = compare([sweep_of(rows((N,), width, places), (N,))], width * N)
    assert f"__shared__ number stage[{256 * (len(places) | 1)}]" in module.source


def test_several_rows_of_a_point() -> None:
    """Rows of two and three in different parts of the buffer, and a number by itself; as of two equations a point."""
    parts = [(0, 3), (1, 3), (3 * N, 3), (3 * N + 2, 3), (3 * N + 1, 3), (2, 3)]
    addresses: list[Address] = [Affine((N,), offset, (step,)) for offset, step in parts]
    module = compare([sweep_of([*addresses, Affine((N,), 6 * N, (1,))], (N,))], 7 * N)
    assert "__shared__ number stage[1792]" in module.source  # seven to a point, six of them used
    assert "__shared__ int where[512]" in module.source


def test_shared_memory_is_enough_for_the_most() -> None:
    """Nine rows of two: 38,912 bytes for numbers, 9,216 for places."""
    addresses: list[Address] = [Affine((N,), 2 * N * row + k, (2,)) for row in range(9) for k in (1, 0)]
    assert "__shared__ int where[2304]" in compare([sweep_of(addresses, (N,))], 18 * N).source


def test_lines_that_end_within_a_tile() -> None:
    box = (50, 100)
    assert "__shared__" in compare([sweep_of(rows(box, 3, [0, 2, 1], pad=7), box)], 50 * 307).source


def test_rows_that_descend() -> None:
    down: list[Address] = [Affine((N,), 3 * N - 3 + k, (-3,)) for k in range(3)]
    assert "__shared__" in compare([sweep_of(down, (N,))], 3 * N).source


def test_tables_whose_rows_lie_together() -> None:
    random = np.random.default_rng(3)
    starts = 4 * random.permutation(N)
    tables: list[Address] = [Table((N,), (starts + k).astype(np.int32)) for k in (3, 0, 1)]
    module = compare([sweep_of(tables, (N,))], 4 * N)
    assert "__shared__" in module.source
    assert [b.size for b in module.buffers if b.role == "table"] == [3 * N]  # one table, point by point


def test_staged_and_other_parts_of_one_launch() -> None:
    """Three launches in one: rows of three, single numbers, rows of two; none is a multiple of a tile."""
    first, second = 2000, 1700
    parts = [
        sweep_of([Affine((first,), k, (3,)) for k in range(3)], (first,)),
        sweep_of([Affine((second,), 3 * first, (1,))], (second,)),
        sweep_of([Affine((1299,), 3 * first + second + k, (2,)) for k in (1, 0)], (1299,)),
    ]
    module = compare(parts, 3 * first + second + 2 * 1299)
    assert len(module.runs["run"].dispatches) == 1
    assert module.runs["run"].dispatches[0].threads == (8 + 7 + 6) * 256


@pytest.mark.parametrize(
    "addresses",
    [
        [Affine((N,), 0, (1,)), Affine((N,), N, (1,))],  # each is side by side with its neighbours
        [Affine((N,), 0, (2,)), Affine((N,), 2 * N + 1, (2,))],  # far apart
        [Affine((N,), 0, (3,))],
        [Table((N,), np.arange(N)), Table((N,), np.arange(N) + N)],
        [Affine((N,), k, (30,)) for k in range(30)],  # too much for shared memory
        [Affine((N,), k * 3 * N, (3,)) for k in range(2)],  # a number of each row
    ],
)
def test_what_is_not_staged(addresses: list[Address]) -> None:
    size = max(int(a.table().max()) for a in addresses) + 1
    assert "__shared__" not in compare([sweep_of(addresses, (N,))], size).source


def test_what_is_not_finite_is_noted_on_the_way() -> None:
    module = printed([sweep_of(rows((N,), 3, [0, 1, 2]), (N,))], 3 * N, checks=True)
    assert "__shared__" in module.source
    x = np.ones(N + 1)
    assert run_all_ways(module, {"run": [x]})["run"].status == (0, 0)
    x[-1] = np.inf
    assert run_all_ways(module, {"run": [x]})["run"].status == (0, 1)


def test_light_steps_take_several_points_a_thread() -> None:
    n = 1 << 21
    out = np.empty(n)
    task = Recorder(NOTHING).sweep_invocations([sweep_of([Affine((n,), 0, (1,))], (n,))], [np.empty(n + 1), out])
    module = print_module({"run": Evaluation(task, [], out)})
    assert "#pragma unroll 4" in module.source
    assert module.runs["run"].dispatches[0].threads == n // 4
