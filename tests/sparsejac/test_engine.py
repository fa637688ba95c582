"""The engine: choice of strategy and backend, given patterns and colors, infinities, threads, guards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from coloring import color
from kernels import Access, Affine, Guard, Launch, Schedule, Table
from kernels.kernel import KernelBuilder
from schedules import chain_kernels, dense, reciprocal_sums, schedules, stencil
from sparsejac.evaluation.active_order import order_active
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.engine import Engine
from sparsejac.options import StrategyName
from sparsejac.patterns.pattern import Pattern
from sparsejac.primitives import PRIMITIVES
from sparsejac.reports.explanation import explain
from sparsejac.schedules.backend import COMPILE_SECONDS, TAPE_SECONDS, Backend, estimate_interpreter

Array = NDArray[np.float64]
NAMES: tuple[StrategyName, ...] = ("forward", "reverse", "bidirectional", "identity", "auto")


def sample(schedule: Schedule, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 2.0, schedule.sizes[b]) for b in schedule.inputs]


@settings(max_examples=32, deadline=None)
@given(schedules())
def test_all_strategies_agree(schedule: Schedule) -> None:
    inputs = sample(schedule)
    value, jacobian, structure = dense(schedule, inputs)
    for name in NAMES:
        engine = Engine(schedule, EngineOptions(name))
        found_value, data = engine.value_and_data(inputs)
        np.testing.assert_allclose(found_value, value, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(engine.value(inputs), value, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(data, jacobian[structure], rtol=1e-12, atol=1e-11)
        assert np.array_equal(engine.pattern.to_scipy().toarray(), structure)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [lambda: stencil(4, 6), reciprocal_sums], ids=["stencil", "two stages"])
def test_compiled_code_agrees(name: StrategyName, make: object) -> None:
    schedule = make()  # type: ignore[operator]
    inputs = sample(schedule)
    _, jacobian, structure = dense(schedule, inputs)
    engine = Engine(schedule, EngineOptions(name, backend="numba"))
    np.testing.assert_allclose(engine.data(inputs), jacobian[structure], rtol=1e-12)
    assert engine.backend.chosen == "numba"
    assert engine.setup_seconds()["compile"] > 0


def test_the_calls_of_an_evaluation_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of which the one compiled call is printed are those that it makes."""
    schedule = stencil(4, 6)
    engine, made = Engine(schedule, EngineOptions("forward", backend="numba")), []
    invocations = engine.prepared.invocations
    monkeypatch.setattr(engine.prepared, "invocations", lambda *given: made.append(given) or invocations(*given))
    inputs = sample(schedule)
    _, jacobian, structure = dense(schedule, inputs)
    for _ in range(2):
        np.testing.assert_allclose(engine.data(inputs), jacobian[structure], rtol=1e-12)
    assert engine._fused is not None
    assert len(made) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_infinities_spoil_no_neighbour(name: StrategyName, bad: float) -> None:
    """A bad x_1 reaches the columns that it should, as in the identity strategy, and no others."""
    schedule = reciprocal_sums()
    x = np.array([0.5, bad, 1.5, 2.0])
    engine = Engine(schedule, EngineOptions(name))
    data = engine.data([x])
    _, jacobian, structure = dense(schedule, [x])
    np.testing.assert_array_equal(data, jacobian[structure])


@pytest.mark.parametrize("name", ["forward", "reverse"])
def test_an_infinite_partial_leaves_the_others_of_its_row(name: StrategyName) -> None:
    """d log(x_0) + log(x_1) at x_0 = 0 is (inf, 1/x_1); a compressed row alone would hold NaN beside it."""
    schedule = replace(reciprocal_sums(), output=1)
    schedule = replace(schedule, launches=schedule.launches[:1])
    data = Engine(schedule, EngineOptions(name)).data([np.array([0.0, 2.0, 4.0, 8.0])])
    assert data.tolist() == [np.inf, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_auto_needs_no_coloring_where_identity_is_cheaper() -> None:
    engine = Engine(stencil(6, 7), EngineOptions())
    assert engine.strategy == "identity"
    assert engine.colored("column") is None
    assert engine.colored("row") is None
    assert engine.coloring is None


def test_auto_takes_forward_where_products_pile_up() -> None:
    """Each stage mixes all of 60 numbers: products grow by the width of x, of which forward carries all at once."""
    size, width, stages = 60, 8, 4
    kernel, linearized = chain_kernels(1, (0,), np.zeros(1))
    launches = []
    for stage in range(stages):
        length = width if stage == 0 else size
        load = Access(stage, Affine((size, length), 0, (0, 1)))
        target = Access(stage + 1, Affine((size,), 0, (1,)))
        launches.append(Launch(kernel, linearized, (size, length), (load,), target, (0,), reduced=1))
    schedule = Schedule((width, *[size] * stages), (0,), tuple(launches), stages)
    engine = Engine(schedule, EngineOptions())
    assert engine.facts.products == (stages - 1) * size * size * width
    assert engine.strategy == "forward"
    assert engine.colored("row") is None  # 60 rows that are full: their bound already loses
    inputs = sample(schedule)
    _, jacobian, structure = dense(schedule, inputs)
    np.testing.assert_allclose(engine.data(inputs), jacobian[structure], rtol=1e-9)


def test_active_loads_are_ordered_by_place() -> None:
    schedule = stencil(5, 6)
    launch = order_active(schedule).launches[0]
    assert [launch.loads[k].address.table()[0] for k in launch.active] == [1, 6, 7, 8, 13]
    engine = Engine(schedule, EngineOptions("identity"))
    x = sample(schedule)
    _, jacobian, structure = dense(schedule, x)
    np.testing.assert_allclose(engine.data(x), jacobian[structure], rtol=1e-12)
    assert engine.prepared.bytes == 8 * (30 + 1 + 60)  # written in place: no slots


@pytest.mark.parametrize("name", NAMES)
def test_given_pattern_with_more_entries_is_used(name: StrategyName) -> None:
    schedule = stencil(4, 5)
    inputs = sample(schedule)
    _, jacobian, structure = dense(schedule, inputs)
    wider = structure | np.eye(*structure.shape, dtype=bool)
    engine = Engine(schedule, EngineOptions(name, pattern=Pattern.from_coo(*np.nonzero(wider), wider.shape)))
    np.testing.assert_allclose(engine.data(inputs), jacobian[wider], atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_given_pattern_that_lacks_an_entry_is_refused(name: StrategyName) -> None:
    schedule = stencil(4, 5)
    structure = dense(schedule, sample(schedule))[2].copy()
    structure[4, np.flatnonzero(structure[4])[2]] = False
    engine = Engine(schedule, EngineOptions(name, pattern=Pattern.from_coo(*np.nonzero(structure), structure.shape)))
    with pytest.raises(ValueError, match=r"in row 4.*entry is missing"):
        engine.data(sample(schedule))


def test_a_missing_entry_that_is_zero_at_x_is_found() -> None:
    """y = sin(a) + a b at (a, b) = (0, 1): dy/db = a = 0 there and nowhere else."""
    kernel, linearized = chain_kernels(2, (0, 1), np.zeros(2))
    loads = tuple(Access(0, Affine((1,), offset, (1,))) for offset in (0, 1))
    launch = Launch(kernel, linearized, (1,), loads, Access(1, Affine((1,), 0, (1,))), (0, 1))
    schedule = Schedule((2, 1), (0,), (launch,), 1)
    engine = Engine(schedule, EngineOptions(pattern=Pattern.from_coo([0], [0], (1, 2))))
    with pytest.raises(ValueError, match="entry is missing"):
        engine.data([np.array([0.0, 1.0])])


def test_given_pattern_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got shape \(2, 2\); the Jacobian has shape \(6, 20\)"):
        Engine(stencil(4, 5), EngineOptions(pattern=Pattern.from_coo([], [], (2, 2))))


@pytest.mark.parametrize(("name", "problem"), [("forward", "column"), ("reverse", "row"), ("auto", "column")])
def test_given_colors_are_used(name: StrategyName, problem: str) -> None:
    schedule = stencil(4, 5)
    inputs = sample(schedule)
    _, jacobian, structure = dense(schedule, inputs)
    engine = Engine(schedule, EngineOptions(name, coloring=10 * np.arange(structure.shape[problem == "column"])))
    assert engine.coloring is not None
    assert engine.coloring.num_colors == structure.shape[problem == "column"]
    np.testing.assert_allclose(engine.data(inputs), jacobian[structure], rtol=1e-12)


def test_a_coloring_of_rows_leads_to_reverse() -> None:
    schedule = stencil(4, 5)
    pattern = Engine(schedule, EngineOptions()).pattern
    given = color((pattern.indptr, pattern.indices, pattern.shape), "row")
    assert Engine(schedule, EngineOptions(coloring=given)).strategy == "reverse"
    with pytest.raises(ValueError, match="got a row coloring"):
        Engine(schedule, EngineOptions("forward", coloring=given))


@pytest.mark.parametrize(
    ("colors", "words"),
    [
        (np.zeros(20, dtype=int), "columns 1 and 5 both have color 0 and an entry in row 0"),
        (np.arange(19), "shape"),
        (np.arange(20.0), "dtype float64"),
        (np.arange(20) - 1, "0 or more"),
    ],
)
def test_wrong_colors_are_refused(colors: Array, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Engine(stencil(4, 5), EngineOptions("forward", coloring=colors))


def test_identity_takes_no_colors() -> None:
    with pytest.raises(ValueError, match="colors nothing"):
        Engine(stencil(4, 5), EngineOptions("identity", coloring=np.arange(20)))


@pytest.mark.parametrize("option", [{"strategy": "sideways"}, {"backend": "abacus"}])
def test_unknown_options_are_refused(option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="choose one of 'auto'"):
        Engine(stencil(4, 5), EngineOptions(**option))  # type: ignore[arg-type]


def test_out_is_checked_and_filled() -> None:
    schedule = stencil(4, 5)
    engine, inputs = Engine(schedule, EngineOptions()), sample(schedule)
    out = np.empty(engine.pattern.nnz)
    assert engine.data(inputs, out) is out
    assert np.array_equal(out, engine.data(inputs))
    with pytest.raises(ValueError, match="out: got shape"):
        engine.data(inputs, np.empty(3))
    with pytest.raises(ValueError, match="input buffer 0"):
        engine.data([np.zeros(3)])


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_small_sizes(size: int, name: StrategyName) -> None:
    kernel, linearized = chain_kernels(1, (0,), np.array([2.0]))
    whole = Affine((size,), 0, (1,))
    launch = Launch(kernel, linearized, (size,), (Access(0, whole),), Access(1, whole), (0,))
    value, data = Engine(Schedule((size, size), (0,), (launch,), 1), EngineOptions(name)).value_and_data(
        [np.full(size, 0.5)]
    )
    np.testing.assert_allclose(value, np.full(size, np.sin(0.5) + 1.0))
    np.testing.assert_allclose(data, np.full(size, np.cos(0.5) + 2.0))


def test_guards() -> None:
    schedule = stencil(4, 5)
    inputs = sample(schedule)
    value = dense(schedule, inputs)[0]
    engine = Engine(replace(schedule, guards=(Guard(1, value.copy()),)), EngineOptions(backend="numpy"))
    np.testing.assert_allclose(engine.value(inputs), value)
    other = [inputs[0] + 1.0]
    with pytest.raises(DecisionError):
        engine.value(other)
    with pytest.raises(DecisionError):
        engine.data(other)
    assert np.isfinite(engine.data(other, check=False)).all()


def test_an_error_of_a_guard_names_the_first_number_that_is_another_one() -> None:
    schedule = stencil(4, 5)
    inputs = sample(schedule)
    value = dense(schedule, inputs)[0]
    other, missing = value.copy(), value.copy()
    other[[2, 3]] += 1.0
    missing[1] = np.nan
    for expected, place in ((other, 2), (missing, 1)):
        engine = Engine(
            replace(schedule, guards=(Guard(1, value.copy()), Guard(1, expected))), EngineOptions(backend="numpy")
        )
        with pytest.raises(DecisionError) as caught:
            engine.value(inputs)
        assert (caught.value.guard, caught.value.place) == (1, place)


def test_threads_share_an_engine() -> None:
    schedule = stencil(30, 40)
    xs = [sample(schedule, seed)[0] for seed in range(16)]
    for name in NAMES:
        expected = [Engine(schedule, EngineOptions(name, backend="numpy")).data([x]) for x in xs]
        engine = Engine(schedule, EngineOptions(name, backend="numpy"))
        with ThreadPoolExecutor(8) as pool:
            for found, wanted in zip(pool.map(lambda x, e=engine: e.data([x]), xs), expected, strict=True):
                assert np.array_equal(found, wanted)


def test_backend_rents_before_it_buys() -> None:
    schedule = stencil(20, 30)
    once = estimate_interpreter(schedule, "partials")
    backend = Backend(schedule, "auto")
    calls = 0
    while backend.executor(("partials",)) is not None and backend.chosen == "numpy":
        calls += 1
        assert calls * once < COMPILE_SECONDS + 0.01
    assert (calls + 1) * once > COMPILE_SECONDS
    assert Backend(stencil(3, 3), "numpy").chosen == "numpy"


def with_kernels(kernels: int, points: int) -> Schedule:
    """A launch each for 2 x, 3 x, ..., and one of them twice."""
    whole = Affine((points,), 0, (1,))
    launches: list[Launch] = []
    for k in [*range(kernels), 0]:
        builder = KernelBuilder(1)
        kernel = builder.build(builder.apply(PRIMITIVES["multiply"].operation, 0, builder.literal(k + 2.0)))
        launches.append(Launch(kernel, kernel, (points,), (Access(0, whole),), Access(len(launches) + 1, whole), ()))
    return Schedule((points,) * (len(launches) + 1), (0,), tuple(launches), len(launches))


@pytest.mark.parametrize(("kernels", "price"), [(1, 1.0), (4, 1.0), (8, 2.0), (40, 10.0)])
def test_the_price_grows_with_the_number_of_kernels(kernels: int, price: float) -> None:
    schedule = with_kernels(kernels, 5)
    backend, once, calls = Backend(schedule, "auto"), estimate_interpreter(schedule, "value"), 0
    while backend.compiled(("value",)) is None:
        calls += 1
        assert calls * once <= price * COMPILE_SECONDS
    assert (calls + 1) * once > price * COMPILE_SECONDS


@pytest.mark.parametrize(("kernels", "points", "taped"), [(40, 5, True), (10, 5, False), (40, 500, False)])
def test_a_tape_is_for_many_short_kernels(kernels: int, points: int, taped: bool) -> None:
    """Few are cheap to compile; long ones NumPy runs as well."""
    schedule = with_kernels(kernels, points)
    for name in ("auto", "numpy"):
        backend, once, spent = Backend(schedule, name), estimate_interpreter(schedule, "value"), 0.0
        while spent + once < COMPILE_SECONDS:
            backend.executor(("value",))
            spent += once
            assert backend.chosen == ("tape" if taped and name == "auto" and spent >= TAPE_SECONDS else "numpy")


def test_a_large_evaluation_is_compiled_at_once() -> None:
    schedule = stencil(3, 4)
    launch = schedule.launches[0]
    many = 10**8
    huge = replace(launch, box=(many,), loads=(), active=(), store=Access(1, Table((0,), np.zeros(0, dtype=np.int64))))
    assert estimate_interpreter(replace(schedule, launches=(huge,))) > 0.3
    assert estimate_interpreter(schedule) < 1e-3


def test_explanation_names_choice_and_counts() -> None:
    engine = Engine(stencil(6, 7), EngineOptions())
    text = str(explain(engine))
    assert "Jacobian 20 x 42, 100 nonzeros" in text
    assert "chosen: identity, the cheapest by prediction" in text
    assert ">= 5" in text
    assert engine.colored("column") is None
    colored = str(explain(engine, color=True))
    assert "5 (optimal)" in colored or "(>= 5)" in colored
    assert "as asked" in str(explain(Engine(stencil(6, 7), EngineOptions("reverse"))))


def test_explanation_tells_colorings_their_bounds_and_their_time() -> None:
    """Of what was colored, and of nothing else."""
    engine = Engine(stencil(6, 7), EngineOptions("forward"))
    found = engine.color("column")
    told = explain(engine)
    assert told.colorings == (str(found),)
    assert f"{found.num_colors} colors" in told.colorings[0]
    assert told.seconds["coloring of columns"] > 0.0
    assert "coloring of columns" in str(told)
    assert "coloring of rows" not in told.seconds
