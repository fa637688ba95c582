"""Facts about zeros against numbers: tables, masks, patterns, strategies, and engines that are found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sparsejac
from api_options import EXPLICIT_STRATEGIES
from kernels import Access, Affine, Kernel, KernelBuilder, Launch, NumpyExecutor, Schedule, Table, allocate
from kernels.executor import allocate_rows, rows_of
from schedules import schedules, stencil
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.patterns.sparsity import Live, detect
from sparsejac.patterns.zeros import (
    NONZERO,
    UNKNOWN,
    VOID,
    ZERO,
    _index,
    _read,
    _table,
    digest,
    fact_of,
    live_partials,
    relevant_inputs,
)
from sparsejac.primitives import PRIMITIVES
from sparsejac.schedules.fusion import schedule as lower
from sparsejac.schedules.partials import linearized
from sparsejac.tracing import run

Array = NDArray[np.float64]

MEMBERS = {
    ZERO: [0.0, -0.0],
    NONZERO: [1.0, -1.0, 0.5, -2.5, 3.0, 1e-200, -1e-200, 1e300, np.inf, -np.inf, np.nan],
}
MEMBERS[VOID] = [*MEMBERS[ZERO], np.nan]
MEMBERS[UNKNOWN] = MEMBERS[ZERO] + MEMBERS[NONZERO]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_tables_are_sound(name: str) -> None:
    """Whatever is said of a result holds for all operands."""
    operation = PRIMITIVES[name].operation
    table = _table(operation)
    for facts in product((VOID, ZERO, NONZERO, UNKNOWN), repeat=operation.arity):
        said = table[_index(facts)]
        grid = np.meshgrid(*[MEMBERS[fact] for fact in facts])
        with np.errstate(all="ignore"):
            results = np.asarray(operation.evaluate(*grid), dtype=np.float64)
        if said == ZERO:
            assert np.all(results == 0.0), facts
        elif said == VOID:
            assert np.all((results == 0.0) | np.isnan(results)), facts
        elif said == NONZERO:
            assert not np.any(results == 0.0), facts
        else:
            assert said == UNKNOWN


@pytest.mark.parametrize(
    ("name", "facts", "result"),
    [
        ("multiply", (ZERO, UNKNOWN), VOID),
        ("multiply", (ZERO, ZERO), ZERO),
        ("multiply", (NONZERO, NONZERO), UNKNOWN),
        ("add", (ZERO, NONZERO), NONZERO),
        ("add", (NONZERO, NONZERO), UNKNOWN),
        ("subtract", (ZERO, ZERO), ZERO),
        ("divide", (ZERO, UNKNOWN), VOID),
        ("divide", (ZERO, ZERO), NONZERO),
        ("add", (VOID, VOID), VOID),
        ("add", (VOID, UNKNOWN), UNKNOWN),
        ("select", (UNKNOWN, ZERO, VOID), VOID),
        ("select", (VOID, ZERO, NONZERO), UNKNOWN),
        ("equal", (VOID, ZERO), UNKNOWN),
        ("select", (NONZERO, ZERO, UNKNOWN), ZERO),
        ("select", (ZERO, ZERO, NONZERO), NONZERO),
        ("select", (UNKNOWN, ZERO, NONZERO), UNKNOWN),
        ("select", (UNKNOWN, ZERO, ZERO), ZERO),
        ("equal", (ZERO, NONZERO), ZERO),
        ("equal", (ZERO, ZERO), NONZERO),
        ("not_equal", (ZERO, ZERO), ZERO),
        ("logical_and", (UNKNOWN, ZERO), ZERO),
        ("logical_or", (UNKNOWN, NONZERO), NONZERO),
        ("logical_or", (ZERO, ZERO), ZERO),
        ("logical_not", (ZERO,), NONZERO),
        ("sin", (ZERO,), ZERO),
        ("cos", (ZERO,), NONZERO),
        ("power", (UNKNOWN, ZERO), NONZERO),
        ("maximum", (ZERO, ZERO), ZERO),
        ("arctan2", (ZERO, ZERO), UNKNOWN),
    ],
)
def test_tables_are_sharp(name: str, facts: tuple[int, ...], result: int) -> None:
    assert _table(PRIMITIVES[name].operation)[_index(facts)] == result


def test_facts_of_numbers() -> None:
    assert fact_of(np.array([np.nan, 1.0])) == NONZERO
    assert fact_of(np.array([0.0, -0.0])) == ZERO
    assert fact_of(np.zeros(0)) == NONZERO
    mixed = fact_of(np.array([-0.0, 1.0, np.nan]))
    assert not isinstance(mixed, int)
    assert mixed.tolist() == [ZERO, NONZERO, NONZERO]


def test_digest_tells_places_and_buffers_apart() -> None:
    cases = [np.array(v) for v in ([0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0, 1.0])]
    digests = [digest({k: fact_of(values)}) for k in (1, 2) for values in cases]
    assert len(set(digests)) == len(digests)
    assert digest({1: fact_of(np.array([0.0, 5.0]))}) == digests[0]


@pytest.mark.parametrize(
    "address", [Affine((2, 3), 7, (-4, 1)), Affine((0, 3), 0, (1, 1)), Table((2,), np.array([5, 1]))]
)
def test_facts_are_read_as_numbers_are(address: Affine | Table) -> None:
    facts = np.arange(12, dtype=np.uint8)
    found = np.broadcast_to(np.asarray(_read(facts, address)), (address.points,))
    assert found.tolist() == facts[address.table()].tolist()


# ---------------------------------------------------------------- random schedules

OPERATIONS = [
    *("multiply", "multiply", "add", "subtract", "negative", "sin", "square", "select", "select", "maximum"),
    *("equal", "greater", "logical_and", "logical_not", "absolute", "copy"),
]


def random_kernel(rng: np.random.Generator, loads: int) -> Kernel:
    builder = KernelBuilder(loads)
    values = [*range(loads), builder.literal(0.0), builder.literal(float(rng.choice([-1.0, 2.0])))]
    for name in rng.choice(OPERATIONS, rng.integers(1, 9)):
        operation = PRIMITIVES[str(name)].operation
        recent, any_value = values[-1], rng.choice(values, operation.arity).tolist()
        operands = [recent if rng.random() < 0.3 else value for value in any_value]
        values.append(builder.apply(operation, *operands))
    return builder.build(values[-1])


@st.composite
def rich_schedules(draw: st.DrawFn) -> tuple[Schedule, list[Array]]:
    """Schedules with kernels of all sorts, and inputs of which the second is a constant with zeros."""
    schedule = draw(schedules())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    launches = []
    for launch in schedule.launches:
        places = rng.integers(0, 3, launch.points)
        loads = (*launch.loads, Access(1, Table(launch.box, places)))
        kernel = random_kernel(rng, len(loads))
        launches.append(replace(launch, kernel=kernel, linearized=linearized(kernel, launch.active), loads=loads))
    constant = rng.uniform(-2.0, 2.0, 3) * rng.integers(0, 2, 3)
    x = rng.uniform(-2.0, 2.0, schedule.sizes[0])
    return replace(schedule, launches=tuple(launches)), [x, constant]


def dense(schedule: Schedule, inputs: list[Array]) -> Array:
    """The Jacobian by tangents of all columns, which know neither facts nor patterns."""
    n = schedule.sizes[schedule.x]
    buffers, tangents = allocate(schedule), allocate_rows(schedule, n)
    for buffer, array in zip(schedule.inputs, inputs, strict=True):
        buffers[buffer][:] = array
    rows_of(tangents, schedule.x)[...] = np.eye(n)
    NumpyExecutor(schedule).forward(buffers, tangents, n)
    pushed = tangents[schedule.output]
    return np.zeros((schedule.sizes[schedule.output], n)) if pushed is None else pushed


def masks_of(schedule: Schedule, live: Live) -> list[NDArray[np.bool_]]:
    shapes = [(k.points, len(k.active)) for k in schedule.launches]
    return [np.ones(s, dtype=np.bool_) if m is None else m for s, m in zip(shapes, live, strict=True)]


def structure_of(schedule: Schedule, live: Live) -> NDArray[np.bool_]:
    """The pattern, one point and one load at a time."""
    n = schedule.sizes[schedule.x]
    reached = [np.zeros((size, n), dtype=np.bool_) for size in schedule.sizes]
    reached[schedule.x] = np.eye(n, dtype=np.bool_)
    for launch, mask in zip(schedule.launches, masks_of(schedule, live), strict=True):
        rows = np.zeros((launch.rows, n), dtype=np.bool_)
        for point, row in enumerate(launch.row_of_point):
            for j, k in enumerate(launch.active):
                if mask[point, j]:
                    rows[row] |= reached[launch.loads[k].buffer][launch.loads[k].address.table()[point]]
        reached[launch.store.buffer][launch.store.address.table()] = rows
    return reached[schedule.output]


@settings(max_examples=120, deadline=None)
@given(rich_schedules())
def test_random_schedules(case: tuple[Schedule, list[Array]]) -> None:
    """A partial that is said to be zero is zero at each x, and the pattern is what the others reach."""
    schedule, (x, constant) = case
    live = live_partials(schedule, {1: fact_of(constant)})
    for scale in (1.0, -3.0, 0.0):
        buffers = allocate(schedule)
        buffers[0][:], buffers[1][:] = scale * x, constant
        partials = NumpyExecutor(schedule).partials(buffers)
        for partial, mask in zip(partials, masks_of(schedule, live), strict=True):
            assert not np.any(partial[~mask])
    found = detect(schedule, live)
    structure = structure_of(schedule, live)
    assert np.array_equal(found.pattern.to_scipy().toarray(), structure)
    assert not np.any(dense(schedule, [x, constant])[~structure])
    without = detect(schedule)
    assert found.pattern.nnz <= without.pattern.nnz
    assert found.products <= without.products


@settings(max_examples=50, deadline=None)
@given(rich_schedules())
def test_strategies_agree_on_sharp_patterns(case: tuple[Schedule, list[Array]]) -> None:
    schedule, inputs = case
    jacobian = dense(schedule, inputs)
    for name in (s for s in EXPLICIT_STRATEGIES if s != "elimination"):  # which asks for a Program
        engine = Engine(schedule, EngineOptions(name, known={1: fact_of(inputs[1])}))  # type: ignore[arg-type]
        matrix = engine.pattern.to_scipy().astype(float)
        matrix.data = engine.data(inputs)
        np.testing.assert_allclose(matrix.toarray(), jacobian, rtol=1e-9, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(rich_schedules())
def test_irrelevant_inputs_change_nothing(case: tuple[Schedule, list[Array]]) -> None:
    schedule, (_, constant) = case
    if 1 in relevant_inputs(schedule):
        return
    with_zeros = masks_of(schedule, live_partials(schedule, {1: fact_of(constant)}))
    without = masks_of(schedule, live_partials(schedule, {}))
    assert all(np.array_equal(a, b) for a, b in zip(with_zeros, without, strict=True))


# ---------------------------------------------------------------- whole functions


def pattern_of(f: Callable[..., Any], n: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = sparsejac.jacobian_sparsity(f, np.linspace(0.3, 0.9, n)).to_scipy().toarray() != 0
    return found


def unwritten(x: Any) -> Any:
    y = np.zeros(x.size + 2)
    y[1:-1] = np.sin(x)
    return y[1:] * y[:-1]


def loop(x: Any) -> Any:
    y = np.zeros(x.size)
    for i in range(x.size):
        y[i] = i * 0.5 * x[i] + x[(i + 1) % 5]
    return y


def two_stages(x: Any) -> Any:
    """Zeros of a product are zeros of the derivatives by its other factors, also behind a sum."""
    inner = MASK * np.exp(x)
    return np.stack([inner[:2].sum() ** 2, (inner[::3] * x[1]).sum() ** 2])


MASK = np.array([0.0, 1.0, 1.0, 0.0, 2.0])
LIVE = (MASK != 0.0)[:, None]
EYE = np.eye(5, dtype=np.bool_)
BEFORE = np.roll(EYE, -1, axis=1)
NOTHING = np.zeros((5, 5), dtype=np.bool_)
PAIRS = np.eye(6, 5, dtype=np.bool_) | np.eye(6, 5, k=-1, dtype=np.bool_)

FUNCTIONS: dict[str, tuple[Callable[..., Any], NDArray[np.bool_]]] = {
    "factor": (lambda x: MASK * x, EYE & LIVE),
    "factor inside": (lambda x: (MASK * x) ** 2 + x[::-1], EYE & LIVE | EYE[::-1]),
    "zero": (lambda x: x * 0.0, NOTHING),
    "condition": (lambda x: np.where(MASK > 0, x, x[::-1]), np.where(LIVE, EYE, EYE[::-1])),
    "condition true": (lambda x: np.where(MASK < 9, x, x[::-1]), EYE),
    "padded": (lambda x: np.sin(x) * np.pad(np.ones(3), 1), EYE & (np.arange(5) % 4 != 0)[:, None]),
    "dividend": (lambda x: MASK / x, EYE & LIVE),
    "exponent": (lambda x: x**MASK, EYE & LIVE),
    "exponent inside": (lambda x: x ** (MASK * np.roll(x, 1)), (EYE | BEFORE) & LIVE),
    "exponent zero": (lambda x: x ** (x * 0.0 + 0.0), NOTHING),
    "angle": (lambda x: np.arctan2(MASK * x, np.roll(x, 1)), (EYE | BEFORE) & LIVE),
    "angle of zero": (lambda x: np.arctan2(np.zeros(5), x), NOTHING),
    "cancelled": (lambda x: x - x, NOTHING),
    "unwritten": (unwritten, PAIRS & (np.arange(6) % 5 != 0)[:, None]),
    "loop": (loop, EYE & (np.arange(5) != 0)[:, None] | np.roll(EYE, 1, axis=1)),
    "two stages": (two_stages, np.eye(2, 5, k=1, dtype=np.bool_) & np.array([[True], [False]])),
    "summand": (lambda x: (x - MASK) ** 2, EYE),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_known_zeros_are_no_entries(name: str) -> None:
    f, expected = FUNCTIONS[name]
    assert np.array_equal(pattern_of(f, 5), expected)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
def test_values_of_sharp_patterns(name: str, strategy: Any) -> None:
    f, expected = FUNCTIONS[name]
    x = np.linspace(0.3, 0.9, 5)
    found = sparsejac.sparse_jacobian(f, x, strategy=strategy).toarray()
    step = 1e-6
    columns = [(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(5)]
    np.testing.assert_allclose(found, np.stack(columns, axis=1), atol=1e-8)
    assert not np.any(found[~expected])


@pytest.mark.parametrize("size", [0, 1])
def test_small_sizes(size: int) -> None:
    x = np.full(size, 0.5)
    assert sparsejac.sparse_jacobian(lambda x: np.zeros(size) * x, x).nnz == 0
    assert sparsejac.sparse_jacobian(lambda x: np.where(np.zeros(size) > 1, 1.0, x), x).nnz == size


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_zero_times_infinity_is_no_entry(strategy: Any, bad: float) -> None:
    """The partial 0 * inf is NaN as a number; its row and its column keep their other entries."""

    def f(x: Any) -> Any:
        inner = np.array([0.0, 1.0, 1.0]) * x[:-1] ** 2 + x[1:]
        return np.append(np.ones((2, 2)) @ (3.0 * inner[1:] - inner[:-1]) + np.sin(x[1:3]), x[0] * 3.0)

    x = np.array([bad, 0.5, 0.7, 0.9])
    found = sparsejac.sparse_jacobian(f, x, strategy=strategy).toarray()
    x[0] = 0.3
    np.testing.assert_allclose(found, sparsejac.sparse_jacobian(f, x, strategy=strategy).toarray(), rtol=1e-14)
    assert np.isfinite(found).all()
    assert np.flatnonzero(found[:, 0]).tolist() == [2]


def test_a_void_decides_nothing() -> None:
    """At infinity 0 * x is NaN, so that the other branch is taken: it has its entries."""
    x = np.array([0.5, np.inf, 0.7])

    def f(x: Any) -> Any:
        return np.where(np.zeros(3) * x == 0.0, x[::-1], 2.0 * x)

    found = sparsejac.jacobian(f)(x)
    assert found.toarray().tolist() == [[0.0, 0.0, 1.0], [0.0, 2.0, 0.0], [1.0, 0.0, 0.0]]
    assert found.nnz == 5


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
def test_a_given_pattern_may_hold_known_zeros(strategy: Any) -> None:
    full = sparsejac.Pattern.from_coo(np.arange(5), np.arange(5), (5, 5))
    found = sparsejac.sparse_jacobian(lambda x: MASK * x, np.ones(5), pattern=full, strategy=strategy)
    assert found.data.tolist() == MASK.tolist()


# ---------------------------------------------------------------- which engine


def engine_of(f: Callable[..., Any], n: int = 3) -> Engine:
    traced = run(f, [np.linspace(0.3, 0.9, n)], 0)
    return engine_for(traced.program, {}, traced.constants)


def scaled(factor: list[float]) -> Callable[..., Any]:
    return lambda x: np.array(factor) * np.sin(x)


def test_new_values_find_the_old_engine() -> None:
    assert engine_of(scaled([0.0, 1.0, 2.0])) is engine_of(scaled([-0.0, 5.0, np.nan]))


def test_new_zeros_make_a_new_engine() -> None:
    engines = [engine_of(scaled(f)) for f in ([0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0])]
    assert len(set(map(id, engines))) == 4
    assert [e.pattern.nnz for e in engines] == [2, 2, 0, 3]
    assert len({id(e.schedule.launches[0].loads[0].address) for e in engines}) == 1  # lowered once


def test_zeros_of_summands_do_not_matter() -> None:
    """Data that is subtracted, in a residual or inside a function, may be zero here and there."""
    shifted = [engine_of(lambda x, b=b: np.exp(x - np.array(b)) + b[0]) for b in ([0.0, 1.0, 1.0], [1.0, 0.0, 2.0])]
    assert shifted[0] is shifted[1]


def test_a_closure_that_changes_is_never_stale() -> None:
    x = np.array([0.5, 0.7, 0.9])
    mask = np.zeros(3)

    def f(x: Any) -> Any:
        return np.where(mask > 0.5, x**2, 0.0) + mask * x[::-1]

    jac = sparsejac.jacobian(f)
    for k in range(8):
        mask[:] = [k & 1, k >> 1 & 1, k >> 2 & 1]
        expected = np.diag(2 * mask * x) + np.diag(mask)[:, ::-1]
        for found in (sparsejac.sparse_jacobian(f, x), jac(x)):
            np.testing.assert_allclose(found.toarray(), expected, rtol=1e-14)
            assert np.array_equal(found.toarray() != 0, expected != 0)
            assert found.nnz == np.count_nonzero(expected)


def test_operands_of_a_plan_never_sharpen() -> None:
    """What may change from call to call keeps its entries; what f captured is frozen."""
    captured = np.array([0.0, 1.0, 1.0])
    plan = sparsejac.prepare(lambda x, w: np.stack([w * x, captured * x]), np.ones(3), np.array([0.0, 0.0, 2.0]))
    assert plan.pattern.nnz == 5
    assert plan(np.ones(3)).data.tolist() == [0.0, 0.0, 2.0, 1.0, 1.0]
    captured[0] = 7.0
    assert plan(np.ones(3), np.array([3.0, 4.0, 0.0])).data.tolist() == [3.0, 4.0, 0.0, 1.0, 1.0]


def test_relevant_inputs_are_factors_and_conditions() -> None:
    def f(x: Any) -> Any:
        shift, factor, condition = np.full(3, 2.0), np.full(3, 3.0), np.full(3, 4.0)
        return np.where(condition, factor * np.exp(x + shift), 1.0)

    traced = run(f, [np.ones(3)], 0)
    relevant = relevant_inputs(lower(traced.program))
    values = {traced.constants[b - 1][0] for b in relevant}
    assert {2.0, 3.0, 4.0} & values == {3.0, 4.0}


def _into(target: int, count: int, offset: int, load: Access, active: tuple[int, ...] = (0,)) -> Launch:
    """A copy of what is loaded, to every other place of a buffer."""
    builder = KernelBuilder(1)
    kernel = builder.build(builder.apply(PRIMITIVES["negative"].operation, 0))
    store = Access(target, Affine((count,), offset, (2,)))
    return Launch(kernel, linearized(kernel, active), (count,), (load,), store, active)


@pytest.mark.parametrize("order", list(permutations(range(2))))
@pytest.mark.parametrize("others", ["unknown", "zero", "nobody"])
def test_a_buffer_that_several_launches_store_to(others: str, order: tuple[int, ...]) -> None:
    """x times what stands in a buffer: half of it unknown, the other half of one kind or stored by nobody."""
    halves = [_into(2, 3, 0, Access(0, Affine((3,), 0, (1,))))]
    if others != "nobody":
        halves.append(_into(2, 3, 1, Access(0 if others == "unknown" else 1, Affine((3,), 0, (1,))), ()))
    halves = [halves[k] for k in order if k < len(halves)]
    builder = KernelBuilder(2)
    kernel = builder.build(builder.apply(PRIMITIVES["multiply"].operation, 0, 1))
    loads = (Access(0, Affine((6,), 0, (0,))), Access(2, Affine((6,), 0, (1,))))
    product = Launch(kernel, linearized(kernel, (0,)), (6,), loads, Access(3, Affine((6,), 0, (1,))), (0,))
    found = live_partials(Schedule((3, 3, 6, 6), (0, 1), (*halves, product), 3), {1: fact_of(np.zeros(3))})[-1]
    if others == "unknown":
        assert found is None
    else:
        assert found is not None
        assert found.tolist() == [[True], [False]] * 3


def test_nothing_is_evaluated_where_nothing_can_be_zero() -> None:
    schedule = stencil(1000, 1000)
    start = perf_counter()
    assert live_partials(schedule, {}) == (None,)
    assert perf_counter() - start < 0.1
