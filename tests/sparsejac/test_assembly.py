"""Kernels of sweeps against products of numbers, and the size of sweeps against counting each instruction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kernels import KernelBuilder
from kernels.address import Affine, identity
from kernels.interpreter import Interpreter
from kernels.kernel import Kernel, lean
from kernels.step import Access, Schedule
from sparsejac.elimination import assembly, inlining
from sparsejac.elimination.assembly import Placed, grouped, kernel_of, sweep_of
from sparsejac.elimination.demands import Factor, loaded
from sparsejac.elimination.inlining import inlined_sweeps
from sparsejac.primitives import PRIMITIVES

N = 5
BUFFERS = 4


def random_kernel(rng: np.random.Generator, loads: int) -> Kernel:
    """A few operations, of which some may be of no use to the output."""
    build = KernelBuilder(loads)
    values = [*range(loads), build.literal(1.0), build.literal(2.5)]
    for _ in range(rng.integers(0, 9)):
        name = rng.choice(["add", "multiply", "sin"])
        operands = rng.choice(values, 1 if name == "sin" else 2)
        values.append(build.apply(PRIMITIVES[name].operation, *map(int, operands)))
    return build.build(*map(int, rng.choice(values, rng.integers(1, 4))))


def random_terms(rng: np.random.Generator, count: int) -> list[Placed]:
    kernels = [random_kernel(rng, int(rng.integers(1, 4))) for _ in range(3)]
    terms = []
    for _ in range(count):
        factors = []
        for _ in range(rng.integers(0, 4)):
            kernel = kernels[rng.integers(len(kernels))]
            reads = [
                Access(int(rng.integers(BUFFERS)), Affine((N,), int(rng.integers(2)), (1,)))
                for _ in range(kernel.loads)
            ]
            factors.append(Factor(kernel, tuple(reads), int(rng.choice(kernel.outputs))))
        terms.append(Placed((N,), tuple(factors), 9, Affine((N,), N * int(rng.integers(3)), (1,)), adds=False))
    return terms


def number_of(factor: Factor, buffers: list[np.ndarray]) -> np.ndarray:
    """A factor at each point, as NumPy computes it."""
    values: list[np.ndarray] = [buffers[load.buffer][load.address.table()] for load in factor.loads]
    for i in factor.kernel.instructions:
        operands = [values[o] for o in i.operands]
        values.append(np.full(N, i.literal) if i.operation is None else i.operation.evaluate(*operands))
    return values[factor.value]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [1, 2, 7])
def test_kernels_are_sums_of_products(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    terms = random_terms(rng, count)
    buffers = [rng.uniform(0.5, 1.5, N + 1) for _ in range(BUFFERS)]
    expected: dict[int, np.ndarray] = {}
    for term in terms:
        product = np.ones(N)
        for factor in term.factors:
            product = product * number_of(factor, buffers)
        place = term.address.span[0]
        expected[place] = expected[place] + product if place in expected else product
    kernel, loads = kernel_of(terms)
    found = Interpreter(kernel)([buffers[load.buffer][load.address.table()] for load in loads])
    for values, wanted in zip(found, expected.values(), strict=True):
        np.testing.assert_allclose(np.broadcast_to(values, N), wanted, rtol=1e-13)
    used = set(kernel.outputs).union(*(i.operands for i in kernel.instructions))
    assert used == set(range(kernel.loads + len(kernel.instructions)))  # nothing is loaded or computed in vain
    assert len({(load.buffer, load.address.key) for load in loads}) == len(loads)


def test_lean_kernels_stay_what_they_are() -> None:
    build = KernelBuilder(2)
    square = build.apply(PRIMITIVES["square"].operation, 0)
    kernel = build.build(square, build.apply(PRIMITIVES["add"].operation, square, 1))
    assert lean(kernel) == (kernel, (0, 1))
    idle = Kernel(2, kernel.instructions, (0, 1))  # all loads, but no instruction
    assert lean(idle) == (Kernel(2, (), (0, 1)), (0, 1))


def counted_groups(placed: Sequence[Placed], largest: int) -> list[list[int]]:
    """As `grouped`, with each instruction counted as soon as a term is met."""

    def size_of(terms: Sequence[Placed]) -> int:
        build, numbers = KernelBuilder(1000), dict[object, int]()
        for term in terms:
            product = -1
            for factor in term.factors:
                reads = [numbers.setdefault((a.buffer, a.address.key), len(numbers)) for a in factor.loads]
                value = build.replay(factor.kernel, reads)[factor.value]
                if not build.is_literal(value, 1.0):
                    product = value if product < 0 else build.apply(PRIMITIVES["multiply"].operation, product, value)
            if product < 0:
                build.literal(1.0)
        return max(build.size, len(numbers))

    groups: list[list[int]] = []
    most = 0
    for k, term in enumerate(placed):
        if not groups or size_of([placed[j] for j in (*groups[-1], k)]) > most:
            groups.append([])
            most = max(largest, 3 * size_of([term]) // 2)
        groups[-1].append(k)
    return groups


@pytest.mark.parametrize("largest", [3, 8, 20, 600])
@pytest.mark.parametrize("seed", range(12))
def test_sweeps_are_as_large_as_if_all_was_counted(seed: int, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    terms = random_terms(np.random.default_rng(seed), 15)
    monkeypatch.setattr(assembly, "LARGEST", largest)
    assert grouped(terms) == counted_groups(terms, largest)


def test_small_terms_are_not_written_down_to_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = random_terms(np.random.default_rng(1), 10)
    monkeypatch.setattr(assembly, "KernelBuilder", None)
    assert grouped(terms) == [list(range(10))]


@pytest.mark.parametrize(("wanted", "written"), [((), 3), ((7,), 2)])
def test_kernels_that_take_nothing_in_are_written_once(
    wanted: tuple[int, ...], written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sweeps; a third kernel is written only where one computes what it would load."""
    points, seen = inlining.LEAST, []
    whole = identity(points)
    groups = [
        [Placed((points,), (loaded(0, whole),), 7, whole, adds=False)],
        [Placed((points,), (loaded(7, whole), loaded(7, whole)), 9, whole, adds=False)],
    ]

    def counted(*args: object) -> tuple[Kernel, tuple[Access, ...]]:
        seen.append(args)
        return kernel_of(*args)  # type: ignore[arg-type]

    for module in (assembly, inlining):
        monkeypatch.setattr(module, "kernel_of", counted)
    sweeps = inlined_sweeps(groups, Schedule((points,), (0,), (), 0), wanted)
    assert len(seen) == written
    if wanted:
        assert [sweep.kernel.digest for sweep in sweeps] == [sweep_of(group).kernel.digest for group in groups]
