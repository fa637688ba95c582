"""Short rows of sweeps, which run by vectors: the same numbers, and nothing that LLVM has to say about it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kernels.address import Affine
from kernels.executor import Executor
from kernels.kernel import KernelBuilder
from kernels.llvm import machine, native
from kernels.numba_executor import NumbaExecutor
from kernels.numpy_executor import NumpyExecutor
from kernels.source import IN_VECTORS
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep, lower_sweep
from kernels.sweep_printer import print_sweep
from kernels.tape_executor import TapeExecutor
from sparsejac.primitives import PRIMITIVES
from sweeps import heavy_kernel, plain

NOTHING = Schedule((1,), (0,), (), 0)
EXECUTORS = [NumpyExecutor(NOTHING), TapeExecutor(NOTHING), NumbaExecutor(NOTHING)]


def short_rows(n: int, m: int, width: int, *, adds: bool) -> Sweep:
    """The entries of blocks along a diagonal, `width` in a row, and what is added to some of them."""
    box = (n, m)
    loads = (Access(0, Affine(box, 1, (1, 0))), Access(0, Affine(box, 45, (0, 1))), Access(0, Affine(box, 60, (m, 1))))
    stores = [Store(Access(1, Affine(box, k, (width * m, width)))) for k in range(width)]
    if adds:
        stores[-1] = Store(Access(1, Affine(box, 0, (width * m, 0))), adds=True)
    return Sweep(heavy_kernel(width), box, loads, tuple(stores))


@pytest.mark.parametrize("executor", EXECUTORS, ids=["numpy", "tape", "numba"])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("m", [1, 3, 4, 5, 8, 11, 16, 63])
def test_short_rows_give_the_bits_of_a_plain_loop(executor: Executor, adds: bool, m: int) -> None:
    sweep = short_rows(6, m, 3, adds=adds)
    source = np.random.default_rng(6).uniform(1.0, 2.0, 500)
    expected, found = ([source, np.full(18 * m, 7.0)] for _ in range(2))
    plain(sweep, expected)
    executor.sweep([sweep], found)
    np.testing.assert_array_equal(expected[1], found[1])


def test_vectors_are_wished_for_in_short_rows_to_which_nothing_is_added() -> None:
    """LLVM takes the wish for leave to add in another order."""
    wishes = {
        (m, adds): repr(IN_VECTORS) in print_sweep(lower_sweep(short_rows(6, m, 3, adds=adds)).shape).text
        for m in (3, 4, 63, 64)
        for adds in (False, True)
    }
    assert {key for key, wished in wishes.items() if wished} == {(4, False), (63, False)}


@pytest.mark.skipif(
    not native.is_available() or "+avx2" not in machine.processor()[1].split(","),
    reason="the processor has no AVX2",
)
def test_rows_of_a_vector_or_two_are_vectorised() -> None:
    """The loop over a row asks for no more turns than a vector has elements."""
    text, width = (
        native.assembly(print_sweep(lower_sweep(short_rows(6, 8, 8, adds=False)).shape)),
        machine.vector_width(),
    )
    assert re.search(rf"vdivpd\s.*%{'z' if width == 8 else 'y'}mm", text)
    assert re.search(rf"cmpq\s+\$({width - 1}|{width}),", text)


def wide(name: str, loads: int, stores: list[Affine], *, source: int = 0) -> Sweep:
    """Short rows of one operation's results, each divided by a number, from one buffer into another."""
    operation = PRIMITIVES[name].operation
    build, box = KernelBuilder(loads), stores[0].box
    values = [build.apply(operation, *((k + j) % loads for j in range(operation.arity))) for k in range(len(stores))]
    values = [build.apply(PRIMITIVES["divide"].operation, v, k % loads) for k, v in enumerate(values)]
    read = tuple(Access(source, Affine(box, 1000 * j, (box[-1], 1))) for j in range(loads))
    return Sweep(build.build(*values), box, read, tuple(Store(Access(1, address)) for address in stores))


ROWS = (6, 8)
SILENT = {
    "a function of the C library": wide("arcsinh", 2, [Affine(ROWS, 0, (8, 1))]),
    "one behind a function of ours": wide("logaddexp", 2, [Affine(ROWS, 0, (8, 1))]),
    "places that meet": wide("add", 2, [Affine(ROWS, 2 * k, (8, 1)) for k in range(2)]),
    "places of three": wide("add", 2, [Affine(ROWS, 500 + k, (24, 3)) for k in (0, 1, 3)]),
    "a place that stays": wide("add", 2, [Affine(ROWS, 0, (1, 0))]),
    "read and stored": wide("add", 2, [Affine(ROWS, 2, (8, 1))], source=1),
    "many places of their own": wide("add", 2, [Affine(ROWS, 1000 * k, (24, 3)) for k in range(20)]),
    "some places of their own": wide("add", 2, [Affine(ROWS, 1000 * k, (24, 3)) for k in range(8)]),
    "neighbours": wide("arctan", 3, [Affine(ROWS, k, (40, 5)) for k in range(5)]),
    "calls for whole vectors": wide("sin", 30, [Affine(ROWS, k, (64, 8)) for k in range(8)]),
}


@pytest.mark.skipif(not native.is_available(), reason="numba compiles here")
@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("checked", [False, True])
def test_llvm_has_nothing_to_say(name: str, checked: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """It prints, into whatever the user's program prints, each wish for vectors that it cannot grant."""
    native.assembly(print_sweep(lower_sweep(SILENT[name]).shape, checked=checked))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", SILENT)
def test_short_rows_of_all_kinds_give_the_numbers_of_a_plain_loop(name: str) -> None:
    sweep = SILENT[name]
    expected, found = ([np.random.default_rng(k).uniform(1.0, 2.0, 30_000) for k in range(2)] for _ in range(2))
    plain(sweep, expected)
    EXECUTORS[-1].sweep([sweep], found)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-14)


def test_vectors_are_wished_for_where_places_are_seen_apart() -> None:
    wished = {name for name, sweep in SILENT.items() if repr(IN_VECTORS) in print_sweep(lower_sweep(sweep).shape).text}
    functions = {"a function of the C library", "one behind a function of ours", "calls for whole vectors"}
    assert wished == {*functions, "some places of their own", "neighbours"}
