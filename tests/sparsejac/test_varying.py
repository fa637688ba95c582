"""Constant and varying entries: told apart on structure, kept by content, and no digit is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from numpy.typing import NDArray

import sparsejac
from kernels import NumpyExecutor, Schedule
from oracles import complex_step, differences
from schedules import dense, schedules
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import clear, engine_for
from sparsejac.evaluation.varying import constant_partials, split, varying_entries
from sparsejac.options import StrategyName
from sparsejac.patterns.sparsity import detect
from sparsejac.plan import Plan
from sparsejac.reports.explanation import explain
from sparsejac.schedules.fusion import schedule as lower
from sparsejac.tracing import run

Array = NDArray[np.float64]
COLORED: tuple[StrategyName, ...] = ("forward", "reverse", "bidirectional")
NAMES: tuple[StrategyName, ...] = (*COLORED, "identity", "auto")
N = 9
RNG = np.random.default_rng(7)
MATRIX: Any = sp.random_array((N, N), density=0.3, rng=np.random.default_rng(1), format="csr")
TALL: Any = sp.random_array((N + 4, N), density=0.25, rng=np.random.default_rng(2), format="csr")
SHIFT = RNG.uniform(1.0, 2.0, N)


def reaction(x: Array) -> Array:
    """A linear operator and a nonlinear diagonal, which meet in some entries."""
    return MATRIX @ x + x**3


def heat(x: Array) -> Array:
    y = np.exp(x)
    y[1:-1] += x[2:] - 2.0 * x[1:-1] + x[:-2]
    return y


def twice(x: Array) -> Array:
    """What follows on a buffer that is linear in some unknowns and nonlinear in others."""
    inner = TALL @ x + np.concatenate([x**2, np.zeros(4)])
    return TALL.T @ inner + np.sin(x)


def squared_rows(x: Array) -> Array:
    """One linear stage that is read by a linear and a nonlinear one."""
    inner = MATRIX @ x
    return np.concatenate([TALL @ inner, inner**2])


def conservation(x: Array) -> Array:
    """A dense row that is linear."""
    return np.concatenate([[np.sum(x * SHIFT)], x[1:] * x[:-1]])


def affine(x: Array) -> Array:
    return TALL @ x - np.concatenate([SHIFT, np.ones(4)])


def linear_chain(x: Array) -> Array:
    return TALL @ (MATRIX.T @ (3.0 * x)) + 1.0


def constant_factor(x: Array) -> Array:
    return np.sqrt(SHIFT) * x[::-1] / np.exp(SHIFT)


def no_entries(x: Array) -> Array:
    return np.ones(3) + 0.0 * x[:3]


def nonlinear(x: Array) -> Array:
    return np.outer(x, x)[0] * np.roll(x, 1)


LINEAR: list[Callable[[Array], Array]] = [affine, linear_chain, constant_factor, no_entries]
MIXED: list[Callable[[Array], Array]] = [reaction, heat, twice, squared_rows, conservation]
FUNCTIONS = [*LINEAR, *MIXED, nonlinear]


@pytest.fixture(autouse=True)
def fresh() -> None:
    clear()


def engine_of(plan: Plan) -> Engine:
    return plan._variants.first.engine


def lowered(f: Callable[[Array], Array], n: int = N) -> Schedule:
    return lower(run(f, [np.linspace(0.5, 1.5, n)], [0]).program)


def analytic(f: Callable[[Array], Array], x: Array) -> Array:
    """The dense Jacobian: by complex steps where f keeps complex numbers."""
    return differences(f, x).jacobian if f in (twice, no_entries) else complex_step(f, x)


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_against_dense_jacobians(f: Callable[[Array], Array], name: StrategyName, backend: Any) -> None:
    plan = sparsejac.prepare(f, np.ones(N), strategy=name, backend=backend)
    for seed in range(3):
        x = np.random.default_rng(seed).uniform(0.5, 1.5, N)
        tolerance = 1e-7 if f in (twice, no_entries) else 1e-13
        y, jacobian = plan.value_and_jacobian(x)
        np.testing.assert_allclose(jacobian.toarray(), analytic(f, x), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(y, f(x), rtol=1e-14)
        np.testing.assert_array_equal(plan.values(x), jacobian.data)


@settings(max_examples=32, deadline=None)
@given(schedules())
def test_random_schedules(schedule: Schedule) -> None:
    """Buffer 1 holds constants, which are others in every second call; the kept ones never go with the wrong ones."""
    rng = np.random.default_rng(0)
    constants = [rng.uniform(0.5, 2.0, schedule.sizes[1]) for _ in range(2)]
    engines = [Engine(schedule, EngineOptions(name, changing=1)) for name in COLORED]
    for call in range(4):
        inputs = [rng.uniform(0.5, 2.0, schedule.sizes[0]), constants[call % 2]]
        value, jacobian, structure = dense(schedule, inputs)
        for engine in engines:
            found_value, data = engine.value_and_data(inputs)
            np.testing.assert_allclose(data, jacobian[structure], rtol=1e-12, atol=1e-11)
            np.testing.assert_allclose(found_value, value, rtol=1e-12, atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(schedules())
def test_entries_said_to_be_constant_do_not_change(schedule: Schedule) -> None:
    varying = varying_entries(schedule, 1)
    rng, constants = np.random.default_rng(0), np.ones(schedule.sizes[1])
    found = []
    for _ in range(3):
        _, jacobian, structure = dense(schedule, [rng.uniform(0.5, 2.0, schedule.sizes[0]), constants])
        found.append(jacobian[structure][~varying])
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@settings(max_examples=80, deadline=None)
@given(schedules())
def test_varying_entries_by_following_every_path(schedule: Schedule) -> None:
    """Point by point, with sets: which unknowns an element depends on, and which by a partial that varies."""
    constant = constant_partials(schedule, 1)
    reached: list[list[set[int]]] = [[set() for _ in range(size)] for size in schedule.sizes]
    varies: list[list[set[int]]] = [[set() for _ in range(size)] for size in schedule.sizes]
    reached[0] = [{j} for j in range(schedule.sizes[0])]
    for launch, partials in zip(schedule.launches, constant, strict=True):
        if not launch.active:
            continue
        places = launch.store.address.table()
        for place in places:
            reached[launch.store.buffer][place], varies[launch.store.buffer][place] = set(), set()
        for k, partial in zip(launch.active, partials, strict=True):
            load = launch.loads[k]
            for row, source in zip(launch.row_of_point, load.address.table(), strict=True):
                reached[launch.store.buffer][places[row]] |= reached[load.buffer][source]
                varies[launch.store.buffer][places[row]] |= (varies if partial else reached)[load.buffer][source]
    pattern = detect(schedule).pattern
    expected = [j in varies[schedule.output][i] for i, j in zip(pattern.rows(), pattern.indices, strict=True)]
    assert varying_entries(schedule, 1).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(schedules())
def test_both_parts_add_up(schedule: Schedule) -> None:
    divided = split(schedule, 1)
    if divided is None:
        return
    rng = np.random.default_rng(0)
    inputs = [rng.uniform(0.5, 2.0, schedule.sizes[b]) for b in schedule.inputs]
    parts = [dense(part, inputs)[1] for part in (divided.varying, divided.constant)]
    np.testing.assert_allclose(parts[0] + parts[1], dense(schedule, inputs)[1], rtol=1e-12, atol=1e-11)
    other = dense(divided.constant, [rng.uniform(0.5, 2.0, schedule.sizes[0]), inputs[1]])[1]
    np.testing.assert_array_equal(other, parts[1])


@pytest.mark.parametrize(
    ("f", "counts"),
    [  # entries that vary, of all; colors of columns
        (reaction, (N, len(set(zip(*MATRIX.nonzero(), strict=True)) | {(i, i) for i in range(N)}), 1)),
        (heat, (N, 3 * N - 2 - 2, 1)),
        (conservation, (2 * (N - 1), N + 2 * (N - 1), 2)),
        (affine, (0, TALL.nnz, 0)),
        (nonlinear, (2 * N - 1 + N - 2, 3 * N - 3, None)),
    ],
)
def test_counts(f: Callable[[Array], Array], counts: tuple[int, int, int | None]) -> None:
    plan = sparsejac.prepare(f, np.ones(N), strategy="forward")
    engine = engine_of(plan)
    varying, nnz, colors = counts
    if f is not nonlinear:
        assert (int(engine.varying.sum()), engine.pattern.nnz) == (varying, nnz)
        assert engine.linear == (f is affine)
    else:
        assert engine.varying.all()
        assert engine.parts is None
    if colors:
        assert plan.coloring is not None
        assert plan.coloring.num_colors == colors
        assert engine.predict("forward").passes == 1


def test_a_linear_stage_is_not_even_run() -> None:
    """The product with the matrix is nobody's factor: the Jacobian needs one launch, the value two."""
    engine = engine_of(sparsejac.prepare(reaction, np.ones(N), strategy="forward"))
    assert engine.parts is not None
    assert (len(engine.schedule.launches), len(engine.parts.schedule.launches)) == (2, 1)


def count_launches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes every run of the interpreter from now on."""
    runs: list[str] = []
    for kind in ("values", "partials", "forward", "reverse"):
        original = getattr(NumpyExecutor, kind)

        def noted(self: Any, *args: Any, _original: Any = original, _kind: str = kind, **options: Any) -> Any:
            runs.append(_kind)
            return _original(self, *args, **options)

        monkeypatch.setattr(NumpyExecutor, kind, noted)
    return runs


@pytest.mark.parametrize("f", LINEAR)
@pytest.mark.parametrize("name", NAMES)
def test_linear_functions_are_not_run(f: Any, name: StrategyName, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = sparsejac.prepare(f, np.ones(N), strategy=name, backend="numpy")
    first = plan.values(np.ones(N))
    engine = engine_of(plan)
    assert engine.linear
    assert engine.colorings() == []
    runs = count_launches(monkeypatch)
    np.testing.assert_array_equal(plan.values(np.full(N, np.pi)), first)
    np.testing.assert_array_equal(plan(np.zeros(N)).data, first)
    assert runs == []
    x = np.linspace(0.0, 1.0, N)
    np.testing.assert_allclose(plan.value_and_jacobian(x)[0], f(x), rtol=1e-14)
    assert runs == ["values"]


def test_linear_functions_say_so() -> None:
    plan = sparsejac.prepare(affine, np.ones(N))
    text = str(plan.explain())
    assert "linear: nothing is evaluated" in text
    assert f"{TALL.nnz} constant, 0 varying" in text
    assert engine_of(plan).colorings() == []
    text = str(sparsejac.prepare(heat, np.ones(N)).explain())
    assert "linear:" not in text
    assert f"{2 * (N - 2)} constant, {N} varying" in text


def product(a: Any) -> Callable[[Array], Array]:
    return lambda x: a @ x


def squared(a: Any) -> Callable[[Array], Array]:
    return lambda x: a @ x + x**2


def matrices(count: int) -> list[Any]:
    """The same pattern, other numbers."""
    return [MATRIX * float(k + 1) + 0.0 * MATRIX for k in range(count)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [product, squared])
def test_one_engine_for_several_constants(name: StrategyName, make: Callable[[Any], Callable[[Array], Array]]) -> None:
    """More contents than are remembered, in changing order: nobody gets the constants of another."""
    functions = [make(a) for a in matrices(7)]
    plans = [sparsejac.prepare(f, np.ones(N), strategy=name) for f in functions]
    assert len({id(engine_of(plan)) for plan in plans}) == 1
    for k in RNG.permutation(np.repeat(np.arange(7), 4)):
        x = RNG.uniform(0.5, 1.5, N)
        np.testing.assert_allclose(plans[k](x).toarray(), complex_step(functions[k], x), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(
            sparsejac.sparse_jacobian(functions[k], x, strategy=name).toarray(),
            complex_step(functions[k], x),
            rtol=1e-13,
            atol=1e-15,
        )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_threads_with_several_constants(backend: Any) -> None:
    functions = [squared(a) for a in matrices(6)]
    plans = [sparsejac.prepare(f, np.ones(N), strategy="forward", backend=backend) for f in functions]

    def work(seed: int) -> float:
        rng, worst = np.random.default_rng(seed), 0.0
        for k in rng.integers(0, 6, 60):
            x = rng.uniform(0.5, 1.5, N)
            worst = max(worst, float(np.abs(plans[k](x).toarray() - complex_step(functions[k], x)).max()))
        return worst

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(work, range(8))) < 1e-12


def test_a_closure_that_changed() -> None:
    """`jacobian` follows f at each call: the captured array holds other numbers, at the same address."""
    factors = np.ones(N)
    jac = sparsejac.jacobian(lambda x: factors * x + np.concatenate([x[1:] ** 2, [0.0]]), strategy="forward")
    for k in range(4):
        factors[:] = k + 1.0
        x = RNG.uniform(0.5, 1.5, N)
        expected = np.diag(factors) + np.diag(2 * x[1:], 1)
        np.testing.assert_allclose(jac(x).toarray(), expected)


@pytest.mark.parametrize("name", NAMES)
def test_float_arguments_are_no_constants(name: StrategyName) -> None:
    plan = sparsejac.prepare(
        lambda x, c, d: c * x[::-1] + d[1:] * x + 2.0 * x, np.ones(4), 3.0, np.ones(5), strategy=name
    )
    assert not engine_of(plan).linear
    for seed in range(4):
        rng = np.random.default_rng(seed)
        c, d = float(rng.uniform(1, 2)), rng.uniform(1, 2, 5)
        expected = c * np.eye(4)[::-1] + np.diag(d[1:] + 2.0)
        np.testing.assert_allclose(plan(rng.uniform(0, 1, 4), c, d).toarray(), expected)


def test_frozen_arguments_are_constants() -> None:
    """Of a call that traces f anew; the same engine serves both values."""
    for c in (2.0, 3.0, 2.0):
        found = sparsejac.sparse_jacobian(lambda x, c: c * x, np.ones(3), c)
        np.testing.assert_array_equal(found.toarray(), c * np.eye(3))


@pytest.mark.parametrize("name", NAMES)
def test_decisions_are_asked_of_linear_functions(name: StrategyName) -> None:
    def f(x: Array) -> Array:
        return 2.0 * x if x[0] > 0.0 else -5.0 * x[::-1]

    plan = sparsejac.prepare(f, np.ones(3), strategy=name)
    np.testing.assert_array_equal(plan(np.array([4.0, 0.0, 0.0])).toarray(), 2.0 * np.eye(3))
    np.testing.assert_array_equal(plan(np.array([-4.0, 0.0, 0.0])).toarray(), -5.0 * np.eye(3)[::-1])
    np.testing.assert_array_equal(plan(np.array([0.5, 0.0, 0.0])).toarray(), 2.0 * np.eye(3))
    assert plan.num_variants == 2
    with pytest.raises(DecisionError):
        engine_of(plan).data([np.array([-1.0, 0.0, 0.0]), *plan._variants.first.traced.constants])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_decisions_on_idle_values(name: StrategyName, backend: Any) -> None:
    """The decision needs the product that the Jacobian does not need."""

    def f(x: Array) -> Array:
        flow = MATRIX @ x
        return flow + x**2 if flow[2] < 100.0 else flow - x**2

    plan = sparsejac.prepare(f, np.ones(N), strategy=name, backend=backend)
    for x in (np.full(N, 0.5), np.full(N, 1e4), np.full(N, 2.0)):
        expected = MATRIX.toarray() + np.diag(2.0 * x) * (1.0 if x[0] < 100.0 else -1.0)
        np.testing.assert_allclose(plan(x).toarray(), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("f", [*LINEAR, *MIXED])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e200])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_unknowns_that_are_not_finite(f: Any, bad: float, backend: Any) -> None:
    """All strategies agree with the entry-by-entry one, and the entries of a linear f do not change."""
    x = np.linspace(0.5, 1.5, N)
    x[3] = bad
    with np.errstate(all="ignore"):
        expected = sparsejac.prepare(f, np.ones(N), strategy="identity", backend=backend).values(x)
        for name in NAMES:
            plan = sparsejac.prepare(f, np.ones(N), strategy=name, backend=backend)
            np.testing.assert_allclose(plan.values(x), expected, rtol=1e-13)
            if f in LINEAR:
                np.testing.assert_array_equal(plan.values(x), plan.values(np.ones(N)))
            plan.values(np.ones(N))
            np.testing.assert_allclose(plan.values(x), expected, rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_constants_that_are_not_finite(name: StrategyName, bad: float, backend: Any) -> None:
    """They stay in their entries, and one engine serves them and others."""
    good, other = MATRIX.copy(), MATRIX.copy()
    other.data[4] = bad
    for make in (product, squared):
        plans = [sparsejac.prepare(make(a), np.ones(N), strategy=name, backend=backend) for a in (good, other)]
        assert engine_of(plans[0]) is engine_of(plans[1])
        square = 2.0 if plans[0].pattern.nnz > MATRIX.nnz else 0.0
        for k in (0, 1, 0, 1):
            x = RNG.uniform(0.5, 1.5, N)
            expected = (good, other)[k].toarray() + np.diag(square * x)
            np.testing.assert_allclose(plans[k](x).toarray(), expected, rtol=1e-13)
            y, jacobian = plans[k].value_and_jacobian(x)
            np.testing.assert_allclose(jacobian.toarray(), expected, rtol=1e-13)
            np.testing.assert_allclose(y, (good, other)[k] @ x + 0.5 * square * x**2, rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_no_digit_is_lost_beside_a_large_constant(name: StrategyName, backend: Any) -> None:
    """Entries of one compressed row: 1e20 is constant, its neighbour 1e-20 varies."""

    def f(x: Array) -> Array:
        return 1e20 * x[:-1] + 1e-20 * x[1:] ** 2

    plan = sparsejac.prepare(f, np.ones(4), strategy=name, backend=backend)
    x = np.array([1.0, 2.0, 3.0, 4.0])
    expected = 1e20 * np.eye(3, 4) + np.diag(2e-20 * x[1:], 1)[:3]
    for _ in range(2):
        np.testing.assert_allclose(plan(x).toarray(), expected, rtol=1e-15)


@pytest.mark.parametrize(
    "f", [constant_factor, lambda x: x**2 + 3.0 * x, lambda x: x**2], ids=["linear", "mixed", "no"]
)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_out_may_be_x(f: Any, name: StrategyName, backend: Any) -> None:
    plan = sparsejac.prepare(f, np.ones(N), strategy=name, backend=backend)
    for _ in range(2):
        x = np.linspace(0.5, 1.5, N)
        expected = plan.values(x)
        assert plan.values(x, out=x) is x
        np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("f", [affine, heat])
def test_results_are_copies(f: Any) -> None:
    plan = sparsejac.prepare(f, np.ones(N), strategy="forward")
    x = np.linspace(0.5, 1.5, N)
    expected = plan.values(x)
    for got in (plan.values(x), plan(x).data, plan.value_and_jacobian(x)[1].data):
        got[:] = np.nan
    np.testing.assert_array_equal(plan.values(x), expected)
    out = np.full(len(expected), np.inf)
    np.testing.assert_array_equal(plan.values(x, out=out), expected)
    assert plan.values(x, out=out) is out


def test_given_patterns_and_colors_are_used_as_given() -> None:
    colors = np.arange(N) % 3
    plan = sparsejac.prepare(heat, np.ones(N), strategy="forward", coloring=colors)
    assert plan.coloring is not None
    np.testing.assert_array_equal(plan.coloring.colors, colors)
    assert engine_of(plan).parts is None
    x = np.linspace(0.5, 1.5, N)
    np.testing.assert_allclose(plan(x).toarray(), complex_step(heat, x), rtol=1e-13, atol=1e-15)
    pattern = sparsejac.prepare(heat, np.ones(N)).pattern
    other = sparsejac.prepare(heat, np.ones(N), strategy="forward", pattern=pattern)
    assert other.coloring is not None
    assert other.coloring.num_colors == 3
    assert engine_of(other).varying.sum() == N
    np.testing.assert_allclose(other(x).toarray(), complex_step(heat, x), rtol=1e-13, atol=1e-15)


def test_calls_of_libraries() -> None:
    """A factorization of a constant matrix is constant; one of a matrix of unknowns is not."""
    dense_matrix = MATRIX.toarray() + 4.0 * np.eye(N)

    def solved(x: Array) -> Array:
        return np.asarray(np.linalg.solve(dense_matrix, x))

    plan = sparsejac.prepare(solved, np.ones(N))
    for x in (np.ones(N), np.linspace(0.0, 1.0, N)):
        np.testing.assert_allclose(plan(x).toarray(), np.linalg.inv(dense_matrix), rtol=1e-10, atol=1e-14)

    def scaled(x: Array) -> Array:
        return np.asarray(np.linalg.solve(dense_matrix * x[0], SHIFT)) + x

    for name in NAMES:
        plan = sparsejac.prepare(scaled, np.ones(N), strategy=name)
        for x in (np.full(N, 2.0), np.linspace(1.0, 2.0, N)):
            expected = np.eye(N)
            expected[:, 0] -= np.linalg.solve(dense_matrix, SHIFT) / x[0] ** 2
            np.testing.assert_allclose(plan(x).toarray(), expected, rtol=1e-10)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_small_sizes(n: int, name: StrategyName) -> None:
    for f in (lambda x: 2.0 * x, lambda x: np.concatenate([3.0 * x, x**2 + x])):
        plan = sparsejac.prepare(f, np.ones(n), strategy=name)
        x = np.full(n, 0.5)
        for _ in range(2):
            np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x))


def test_an_output_that_is_read_again_is_left_whole() -> None:
    """Its rows are entries and factors at once: nothing is taken out of them."""
    for schedule in (lowered(lambda x: 2.0 * x), lowered(heat)):
        assert split(schedule, 1) is not None
    assert split(lowered(nonlinear), 1) is None


def test_explanations_of_shared_engines() -> None:
    traced = run(affine, [np.ones(N)], [0])
    engine = engine_for(traced.program, {}, traced.constants)
    text = str(explain(engine, color=True))
    assert "linear" in text
    assert engine.colorings() == []
