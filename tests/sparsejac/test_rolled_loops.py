"""Chains of scalars as loops: the same bits, the same derivatives, and launches whose number does not grow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import (
    Executor,
    NumbaExecutor,
    NumpyExecutor,
    Schedule,
    allocate,
    allocate_rows,
    loop_printer,
    module,
    source_text,
)
from kernels.cuda.recorder import Recorder
from sparsejac import gradient, jacobian, jvp, linearize, prepare, sparse_jacobian, vjp
from sparsejac.evaluation import engines
from sparsejac.rolling import turns
from sparsejac.rolling.program import rolled
from sparsejac.schedules.fusion import lower
from sparsejac.tracing.run import Traced, run

Floats = npt.NDArray[np.float64]
F = Callable[[Any], Any]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loops from three turns on."""
    with monkeypatch.context() as patch:
        lower_thresholds(patch)
        yield
    engines.clear()


def lower_thresholds(patch: pytest.MonkeyPatch) -> None:
    """Roll what has three turns."""
    engines.clear()
    patch.setattr(turns, "LEAST_TURNS", 3)
    patch.setattr(turns, "LEAST_MAPS", 3)
    patch.setattr("sparsejac.schedules.fusion.FEWEST_MAPS", 3)
    patch.setattr("sparsejac.rolling.program.LEAST_MAPS", 3)
    patch.setattr("sparsejac.tracing.rerolling._DEEP", 3)


def recursion(x: Any) -> Any:
    """One carried number."""
    s = x[0]
    for i in range(1, len(x)):
        s = s + 0.01 * x[i] * math.cos(s)
    return np.array([s])


def verlet(x: Any) -> Any:
    """Two carried numbers, of which one step needs the other's new one."""
    q, p, seen = x[0], x[1], []
    for i in range(2, len(x)):
        p = p - 0.1 * math.sin(q) * x[i]
        q = q + 0.1 * p
        seen.append(q * p)
    return np.array([q, p, seen[len(seen) // 2]])


def runge_kutta(x: Any) -> Any:
    """The same function four times in each turn."""

    def slope(s: Any, a: Any) -> Any:
        return a * math.sin(s) + 0.3

    s, found = x[0], []
    for i in range(1, len(x)):
        first = slope(s, x[i])
        second = slope(s + 0.05 * first, x[i])
        third = slope(s + 0.05 * second, x[i])
        s = s + 0.1 / 6 * (first + 2 * second + 2 * third + slope(s + 0.1 * third, x[i]))
        found.append(s)
    return np.array(found[::3])


def thomas(x: Any) -> Any:
    """Two carried numbers forward, one backward."""
    n = len(x) // 3
    low, high, right = x[:n], x[n : 2 * n], x[2 * n :]
    c, d = [high[0] / 4.0], [right[0] / 4.0]
    for i in range(1, n):
        pivot = 4.0 + low[i] - c[-1] * high[i]
        c.append(high[i] / pivot)
        d.append((right[i] - d[-1] * high[i]) / pivot)
    y = [d[-1]]
    for i in range(n - 2, -1, -1):
        y.append(d[i] - c[i] * y[-1])
    return np.array(y[::-1])


def horner(x: Any) -> Any:
    """Constants that differ from turn to turn."""
    r = 0.5 * x[0]
    for k in range(1, 2 * len(x)):
        r = r * x[0] + math.sqrt(k) / len(x)
    return np.array([r, r * x[1]])


def fibonacci(x: Any) -> Any:
    """Numbers that change places, and one that lies two turns back."""
    a, b = x[0], x[1]
    for i in range(2, len(x)):
        a, b = b, a * x[i] + 0.5 * b
    return np.array([a, b])


def table(x: Any) -> Any:
    """Unknowns in an order without a rule."""
    order, s = np.random.default_rng(4).permutation(len(x)), x[0]
    for i in order:
        s = 0.9 * s + x[i] * x[i]
    return np.array([s, s + x[0]])


def branches(x: Any) -> Any:
    """A choice by values in each turn, which is not seen."""
    s = x[0]
    for i in range(1, len(x)):
        s = np.where(s > 0.4, s * x[i], s + 0.3 * x[i])
    return np.array([s])


def decided(x: Any) -> Any:
    """Decisions in each turn."""
    s = x[0]
    for i in range(1, len(x)):
        s = 0.7 * s + x[i]
        if s < -100.0:
            s = -s
    return np.array([s, 2.0 * s])


def independent(x: Any) -> Any:
    """Two chains of other depths, one after the other, and what follows on both."""
    s, r, n = x[0], x[1], len(x)
    for i in range(2, n):
        s = s + 0.1 * math.sin(s * x[i])
    for i in range(2, n):
        r = (r + x[i]) / (1.0 + r * r)
    return np.array([s, r, s * r]) * np.exp(x[:3])


def small_vectors(x: Any) -> Any:
    """Three carried numbers as an array, turned around in each turn."""
    u, h = x[:3] * 1.0, 0.1 * x[-1]
    for i in range(len(x)):
        u = u + h * np.sin(u[::-1]) * x[i]
    return u


CASES: list[F] = [
    recursion,
    verlet,
    runge_kutta,
    thomas,
    horner,
    fibonacci,
    table,
    branches,
    decided,
    independent,
    small_vectors,
]


COMPILED = (small_vectors, recursion, verlet, fibonacci, table, decided)


def at(n: int, seed: int = 0) -> Floats:
    """Unknowns."""
    return np.random.default_rng(seed).uniform(0.2, 0.9, n)


def stepped(f: F, x: Floats) -> Floats:
    """The dense Jacobian by complex steps of f as it stands, its functions NumPy's; without comparisons."""
    columns = []
    for j in range(len(x)):
        z = x.astype(np.complex128)
        z[j] += 1e-30j
        columns.append(np.asarray(complex_f(f)(z)).imag / 1e-30)
    return np.array(columns).T


class _ComplexMath:
    """The functions of `math` for complex numbers."""

    sin, cos, sqrt = np.sin, np.cos, np.sqrt


def complex_f(f: F) -> F:
    """The same function with other mathematics."""
    return type(f)(f.__code__, {**f.__globals__, "math": _ComplexMath}, f.__name__, f.__defaults__, f.__closure__)


def differences(f: F, x: Floats) -> Floats:
    """The dense Jacobian by central differences."""
    steps = 1e-6 * np.eye(len(x))
    return np.array([(np.asarray(f(x + h)) - np.asarray(f(x - h))) / 2e-6 for h in steps]).T


def buffers_of(schedule: Schedule, traced: Traced, x: Floats) -> list[Floats]:
    """Buffers with inputs and constants."""
    found = allocate(schedule)
    for buffer, array in zip(schedule.inputs, [x, *traced.constants], strict=True):
        found[buffer] = array
    return found


def swept(executor: Executor, schedule: Schedule, traced: Traced, x: Floats) -> list[Floats]:
    """Value, and products with one vector and with three, forward and back."""
    buffers = buffers_of(schedule, traced, x)
    executor.values(buffers)
    found = [buffers[schedule.output].copy()]
    for seeds in (1, 3):
        rng = np.random.default_rng(seeds)
        rows = allocate_rows(schedule, seeds)
        rows[schedule.x][:] = rng.normal(size=(len(x), seeds))
        executor.forward(buffers, rows, seeds)
        found.append(np.array(rows[schedule.output]))
        rows = allocate_rows(schedule, seeds)
        rows[schedule.output][:] = rng.normal(size=(schedule.sizes[schedule.output], seeds))
        executor.reverse(buffers, rows, seeds)
        found.append(np.array(rows[schedule.x]))
    return found


@pytest.mark.parametrize("f", CASES)
@pytest.mark.parametrize("n", [3, 7, 50])
@pytest.mark.usefixtures("short")
def test_values_and_products_are_those_of_straight_lines(f: F, n: int) -> None:
    """Both executors; values to the last bit where the interpreter runs both."""
    x = at(n)
    traced = run(f, [x], 0)
    flat, schedule = lower(traced.program).schedule, lower(traced.program, roll=True).schedule
    expected = swept(NumpyExecutor(flat), flat, traced, x)
    found = [swept(NumpyExecutor(schedule), schedule, traced, x)]
    if n == 50 and f in COMPILED:
        assert schedule.has_loops
        found.append(swept(NumbaExecutor(schedule), schedule, traced, x))
    np.testing.assert_array_equal(found[0][0], expected[0])
    np.testing.assert_array_equal(found[0][0], np.asarray(f(x)))
    for others in found:
        for got, wanted in zip(others, expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("f", [thomas, table])
def test_many_derivatives_of_a_turn_are_used_at_once(f: F, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for those of eight turns, or for none; what is printed is in the language of our compiler."""
    x = at(90)
    traced = run(f, [x], 0)
    schedule = lower(traced.program, roll=True).schedule
    before = module.fallbacks
    blocks = swept(NumbaExecutor(schedule), schedule, traced, x)
    assert "block = np.empty(" in source_text(schedule)
    monkeypatch.setattr(loop_printer, "_LEAST", 1000)
    assert "block = np.empty(" not in source_text(schedule)
    for got, wanted in zip(swept(NumbaExecutor(schedule), schedule, traced, x), blocks, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-15)
    assert module.fallbacks == before


@pytest.mark.parametrize("f", CASES)
@pytest.mark.usefixtures("short")
def test_jacobians_are_those_of_complex_steps(f: F) -> None:
    """By vectors carried forward and back, and by what is chosen, compiled."""
    x = at(30, 3)
    chosen = f in (branches, decided)
    expected, tolerance = (differences(f, x), 1e-7) if chosen else (stepped(f, x), 1e-12)
    for strategy, backend in (("forward", "numpy"), ("reverse", "numpy"), ("auto", "numba")):
        plan = prepare(f, x, strategy=strategy, backend=backend)
        for _ in range(2):
            np.testing.assert_allclose(plan(x).toarray(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("f", CASES)
def test_launches_do_not_grow(f: F) -> None:
    """Five times as many turns are as many launches, but for what stands around them."""
    counts = [len(lower(run(f, [at(n)], 0).program, roll=True).schedule.launches) for n in (150, 750)]
    assert abs(counts[1] - counts[0]) <= 2
    assert counts[1] < 30


def test_number_of_launches_of_one_chain() -> None:
    """The first turn by itself, a loop, and the result."""
    schedule = lower(run(recursion, [at(500)], 0).program, roll=True).schedule
    assert [launch.points for launch in schedule.launches] == [1, 498, 1]
    assert [bool(launch.loop) for launch in schedule.launches] == [False, True, False]


def test_what_no_turn_waits_for_is_no_loop() -> None:
    """What is made of each turn's result is computed for all turns at once."""

    def f(x: Any) -> Any:
        s, found = x[0], []
        for i in range(1, len(x)):
            s = 0.5 * s + x[i] * x[i]
            found.append(np.exp(s) * x[i])
        return np.array(found)

    schedule = lower(run(f, [at(400)], 0).program, roll=True).schedule
    exponential = [
        k for k in schedule.launches if any(i.operation and i.operation.name == "exp" for i in k.kernel.instructions)
    ]
    assert max(k.points for k in exponential) > 300
    assert not any(k.loop for k in exponential)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 20])
def test_short_loops_stay_straight_lines(n: int) -> None:
    """Below the thresholds nothing is rolled."""

    def f(x: Any) -> Any:
        s = 0.25
        for value in x:
            s = s * value + 1.0
        return np.array([s, 1.0]) * 2.0

    program = run(f, [at(n)], 0).program
    assert not rolled(program).loops
    np.testing.assert_allclose(sparse_jacobian(f, at(n)).toarray(), stepped(f, at(n)).reshape(2, n), rtol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_computed_without_loops(bad: float) -> None:
    """An infinite number spoils what depends on it, and nothing else."""

    def f(x: Any) -> Any:
        s, r = x[0], x[1]
        for i in range(2, len(x) - 2):
            s = s + 0.1 * math.sin(s) * x[i]
            r = 0.5 * r + x[i]
        return np.array([s, r, x[-1] * x[-2]])

    x = at(60)
    x[-2] = bad
    plan = prepare(f, x, backend="numpy", strategy="reverse")
    found = plan(x).toarray()
    clean = plan(at(60)).toarray()
    np.testing.assert_allclose(found[:2], clean[:2], rtol=1e-12)
    assert found[2, -1] == bad or (np.isnan(bad) and np.isnan(found[2, -1]))
    assert found[2, -2] == x[-1]


def test_linear_chains_are_constant() -> None:
    """A chain with constant coefficients has one Jacobian for all x, and says so."""

    def f(x: Any) -> Any:
        s = x[0]
        for i in range(1, len(x)):
            s = 0.75 * s + 0.5 * x[i]
        return np.array([s, 3.0 * s])

    x = at(200)
    plan = prepare(f, x)
    expected = np.array([0.5 * 0.75 ** (199 - i) for i in range(200)])
    expected[0] *= 2.0
    np.testing.assert_allclose(plan(x).toarray(), [expected, 3.0 * expected], rtol=1e-12)
    assert "linear" in str(plan.explain(color=False))


def test_products_and_gradients_go_through_loops() -> None:
    """Tangents and cotangents are Programs, whose chains are rolled too."""
    x, n = at(120), 120
    dense = sparse_jacobian(verlet, x).toarray()
    rng = np.random.default_rng(2)
    v, w = rng.normal(size=n), rng.normal(size=3)
    np.testing.assert_allclose(jvp(verlet, x, v)[1], dense @ v, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(vjp(verlet, x)[1](w), w @ dense, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(gradient(lambda z: verlet(z)[0], x), dense[0], rtol=1e-11, atol=1e-12)


def wave(z: Any, n: int) -> Any:
    """The loop of its tangents reads that of its values."""
    s = z[0]
    for _ in range(n):
        s = np.sin(s) * z[1] + 0.02
    return np.array([s])


def in_place(z: Any, n: int) -> Any:
    """The same, in an array."""
    s = np.zeros(n + 1)
    s[0] = z[0]
    for k in range(n):
        s[k + 1] = 0.9 * s[k] + 0.1 * np.sin(s[k]) * z[1] + 0.02
    return s[-4:]


@pytest.mark.parametrize("f", [wave, in_place])
@pytest.mark.parametrize("n", [24, 30, 40, 64])
def test_loops_that_read_shortened_loops(f: Callable[[Any, int], Any], n: int) -> None:
    """A loop that starts later than it was found at leaves its first turns to those who read them one by one."""
    z, v, w = np.array([0.5, -1.2]), np.array([1.0, 2.0]), np.arange(1.0, 5.0)
    expected = f(z + 1e-30j * v, n).imag / 1e-30 if f is wave else _tangents(z, v, n)
    found = linearize(lambda x: jvp(lambda u: f(u, n), x, v)[1], z).value
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    w = w[: len(expected)]
    pulled = linearize(lambda x: vjp(lambda u: f(u, n), x)[1](w), z).value
    assert pulled @ v == pytest.approx(expected @ w, rel=1e-11)


def _tangents(z: Floats, v: Floats, n: int) -> Floats:
    """Of `in_place`, by hand."""
    s, t = np.zeros(n + 1), np.zeros(n + 1)
    s[0], t[0] = z[0], v[0]
    for k in range(n):
        s[k + 1] = 0.9 * s[k] + 0.1 * np.sin(s[k]) * z[1] + 0.02
        t[k + 1] = 0.9 * t[k] + 0.1 * (np.cos(s[k]) * t[k] * z[1] + np.sin(s[k]) * v[1])
    return t[-4:]


def test_new_constants_need_nothing_new() -> None:
    """Numbers that f captured are operands: the same loops serve others."""

    def make(c: Floats) -> F:
        def f(x: Any) -> Any:
            s = x[0]
            for i in range(1, len(x)):
                s = s * x[i] + c[i]
            return np.array([s])

        return f

    x = at(150)
    for seed in (1, 2):
        f = make(at(150, seed))
        np.testing.assert_allclose(jacobian(f)(x).toarray(), stepped(f, x), rtol=1e-11)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_values_and_constant_entries_that_are_not_finite(bad: float) -> None:
    """All entries are constant, and are found one by one; the value comes from the loop."""
    x, factors = at(150), np.linspace(0.5, 0.9, 150)
    factors[-3] = bad

    def f(x: Any) -> Any:
        y = [x[0]]
        for k in range(1, len(x)):
            y.append(factors[k] * y[-1] + x[k])
        return np.stack(y)

    dense = np.eye(len(x))
    for k in range(1, len(x)):
        dense[k, :k] = factors[k] * dense[k - 1, :k]
    plan = prepare(f, x)
    engine = plan._variants.first.engine
    assert engine.schedule.has_loops
    assert engine.linear
    for _ in range(2):
        y, jacobian = plan.value_and_jacobian(x)
        np.testing.assert_array_equal(y, f(x))
        np.testing.assert_allclose(jacobian.toarray(), dense, rtol=1e-12)


def test_devices_get_straight_lines() -> None:
    """Loops run on the host only: what devices are given has none, and what records it refuses them."""
    x = at(100)
    engine = prepare(recursion, x)._variants.first.engine
    assert engine.schedule.has_loops
    assert not engine.flat.schedule.has_loops
    assert engine.flat.pattern == engine.pattern
    with pytest.raises(ValueError, match="loops"):
        Recorder(engine.schedule)


def test_little_loops_beside_much_else_stay_straight_lines() -> None:
    """What a loop keeps other strategies from would cost more than it saves."""

    def f(x: Any) -> Any:
        s = x[0]
        for i in range(1, 40):
            s = s + 0.1 * math.sin(s) * x[i]
        return s * x[1:] * x[:-1]

    engine = prepare(f, at(5000))._variants.first.engine
    assert not engine.schedule.has_loops
    assert prepare(f, at(50))._variants.first.engine.schedule.has_loops


def test_a_schedule_says_what_belongs_together() -> None:
    """Launches of one loop are a step; where one is needed, so are the others."""
    schedule = lower(run(fibonacci, [at(80)], 0).program, roll=True).schedule
    loop = next(step for step in schedule.steps if len(step) > 1)
    store = schedule.launches[loop.start].store.buffer
    assert set(loop) <= schedule.needed([store])


OPERATIONS: list[Callable[[Any, Any, Any], Any]] = [
    lambda a, b, c: a + 0.3 * b,
    lambda a, b, c: a * b,
    lambda a, b, c: a - c,
    lambda a, b, c: np.sin(a) * c,
    lambda a, b, c: a / (2.0 + b * b),
    lambda a, b, c: np.exp(-a * a) + b,
    lambda a, b, c: 0.5 * a,
    lambda a, b, c: c * c + a,
]


@st.composite
def recurrences(draw: st.DrawFn) -> tuple[F, int]:
    """A function of some carried numbers, a random body, and some results; and how many unknowns it has."""
    carried, length = draw(st.integers(1, 3)), draw(st.integers(0, 60))
    one = st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 9), st.integers(0, 9), st.integers(0, 3))
    body = draw(st.lists(one, min_size=1, max_size=6))
    updates = draw(st.lists(st.integers(0, 9), min_size=carried, max_size=carried))
    asked = draw(st.sampled_from(["last", "all", "some"]))
    backwards, constants = draw(st.booleans()), draw(st.booleans())

    def f(x: Any) -> Any:
        state = [x[k] for k in range(carried)]
        found: list[Any] = []
        turns_ = range(length - 1, -1, -1) if backwards else range(length)
        for t in turns_:
            outside = [x[t], x[0], 0.1 * t if constants else 0.25, x[(7 * t) % len(x)]]
            values = list(state)
            for operation, a, b, c in body:
                left, right = values[a % len(values)], values[b % len(values)]
                values.append(OPERATIONS[operation](left, right, outside[c]))
            state = [np.tanh(values[u % len(values)]) if u > 6 else 0.5 * values[-1 - u % len(values)] for u in updates]
            if asked == "all" or (asked == "some" and t % 5 == 0):
                found.append(values[-1])
        return np.array([*state, *found])

    return f, max(length, carried, 1)


@given(recurrences())
@settings(max_examples=12, deadline=None)
def test_random_recurrences(case: tuple[F, int]) -> None:
    """Values are Python's, derivatives those of complex steps, by vectors carried forward and back."""
    f, n = case
    x = at(n, 5)
    with pytest.MonkeyPatch.context() as patch:
        lower_thresholds(patch)
        value, expected = np.asarray(f(x)), stepped(f, x)
        traced = run(f, [x], 0)
        schedule = lower(traced.program, roll=True).schedule
        buffers = buffers_of(schedule, traced, x)
        NumpyExecutor(schedule).values(buffers)
        np.testing.assert_allclose(buffers[schedule.output], value, rtol=1e-15, atol=0)
        for strategy in ("forward", "reverse"):
            found = prepare(f, x, strategy=strategy, backend="numpy")(x).toarray()
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    engines.clear()


@given(recurrences(), st.integers(3, 9))
@settings(max_examples=12, deadline=None)
def test_derivatives_of_random_recurrences_are_rolled(case: tuple[F, int], least: int) -> None:
    """Loops of derivatives read those of values: the same bits as straight lines, wherever loops begin."""
    f, n = case
    x = at(n, 7)

    def products(x: Any) -> Any:
        value, pushed = jvp(f, x, x)
        return np.concatenate([pushed, vjp(f, x)[1](np.cos(np.arange(len(value))))])

    with pytest.MonkeyPatch.context() as patch:
        lower_thresholds(patch)
        patch.setattr(turns, "LEAST_TURNS", least)
        traced, found = run(products, [x], 0), []
        for roll in (True, False):
            schedule = lower(traced.program, roll=roll).schedule
            buffers = buffers_of(schedule, traced, x)
            NumpyExecutor(schedule).values(buffers)
            found.append(buffers[schedule.output])
    np.testing.assert_array_equal(found[0], found[1])
    engines.clear()


@given(recurrences())
@settings(max_examples=6, deadline=None)
def test_random_recurrences_compiled(case: tuple[F, int]) -> None:
    """The same in compiled code, where the cost model chooses."""
    f, n = case
    x = at(n, 6)
    with pytest.MonkeyPatch.context() as patch:
        lower_thresholds(patch)
        plan = prepare(f, x, backend="numba")
        np.testing.assert_allclose(plan(x).toarray(), stepped(f, x), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(plan.value_and_jacobian(x)[0], np.asarray(f(x)), rtol=1e-13, atol=1e-15)
    engines.clear()


def test_numba_compiles_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where our compiler does not go; a text that makes room for itself included."""
    x = at(60)
    traced = run(table, [x], 0)
    schedule = lower(traced.program, roll=True).schedule
    expected = swept(NumpyExecutor(schedule), schedule, traced, x)
    monkeypatch.setattr(module, "COMPILER", "numba")
    monkeypatch.setattr(module, "_functions", {})
    for got, wanted in zip(swept(NumbaExecutor(schedule), schedule, traced, x), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-15)
