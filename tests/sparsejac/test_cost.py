"""Facts of the cost model by brute force, predictions that grow with what they count, choices where they are clear."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sparsejac
from bench.families.steps import FAMILY as STEPS
from kernels import Affine, Schedule, Table
from kernels.address import Content
from schedules import schedules
from sparsejac.evaluation import candidates, engines
from sparsejac.evaluation.engine import Engine
from sparsejac.patterns.sparsity import detect
from sparsejac.strategies import STRATEGIES, cost, elimination, rates
from sparsejac.strategies.cost import (
    Facts,
    Seeds,
    estimate_two_sided,
    gather_facts,
    jumps,
    predict_identity,
    predict_seeded,
)
from sparsejac.strategies.rates import SHIPPED, Rates

Array = NDArray[np.float64]

FACTS = Facts(
    launches=3,
    value_weight=1000,
    weight=5000,
    partials=900,
    products=4000,
    stored=2000,
    nnz=700,
    shape=(300, 400),
    fullest_row=7,
    fullest_column=9,
    two_sided=Seeds(3, 2),
    active_size=1200,
    seed_width=32,
    heaviest=2500,
    scattered=100,
)


@pytest.fixture(autouse=True)
def shipped_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine was calibrated to."""
    monkeypatch.setattr(rates, "_current", SHIPPED)


@pytest.mark.parametrize(
    ("places", "expected"),
    [([], 0), ([5], 0), ([0, 1, 2, 3], 0), ([0, 16, 32], 0), ([0, 17, 34], 2), ([1000, 0, 1], 1), ([7, 7, 7], 0)],
)
def test_jumps(places: list[int], expected: int) -> None:
    assert jumps(Table((len(places),), np.array(places, dtype=np.int32))) == expected


@pytest.mark.parametrize(("pieces", "expected"), [(8, 24), (3, 21), (2, 32)])
def test_jumps_of_many_points_are_those_of_some(monkeypatch: pytest.MonkeyPatch, pieces: int, expected: int) -> None:
    """Eight pieces of four steps: 4, 0, 4, 0, 4, 4, 4, 4 jumps; every third or fourth one stands for all."""
    steps = np.array([4, 0, 4, 0, 4, 4, 4, 4]).repeat(4) * 25
    places = np.cumsum([0, *steps]).astype(np.int32)
    monkeypatch.setattr(cost, "_PIECE", 4)
    monkeypatch.setattr(cost, "_MOST_PIECES", pieces)
    assert jumps(Table((len(places),), places)) == expected


def test_a_place_that_is_repeated_is_no_jump() -> None:
    repeated = Table((3, 2), Content(np.array([7], np.int32), Affine((3, 2), 0, (0, 0))))
    assert jumps(repeated) == 0


def test_regular_steps_are_no_jumps() -> None:
    assert jumps(Affine((100,), 0, (1000,))) == 0


@settings(max_examples=80, deadline=None)
@given(schedules())
def test_facts_by_counting(schedule: Schedule) -> None:
    facts = gather_facts(schedule, detect(schedule))
    partials = scattered = 0
    for launch in schedule.launches:
        for k in launch.active:
            places = launch.loads[k].address.table().tolist()
            partials += len(places)
            if isinstance(launch.loads[k].address, Table):
                scattered += sum(abs(b - a) > 16 for a, b in pairwise(places))
    assert (facts.partials, facts.scattered) == (partials, scattered)
    dense = detect(schedule).pattern.to_scipy().toarray()
    assert facts.fullest_row == max(dense.sum(axis=1), default=0)
    assert facts.fullest_column == max(dense.sum(axis=0), default=0)
    assert facts.launches * facts.heaviest >= facts.weight


@pytest.mark.parametrize("seeds", [Seeds(1, 0), Seeds(0, 1), Seeds(5, 0), Seeds(0, 5), Seeds(40, 3)])
@pytest.mark.parametrize(
    "count", ["launches", "weight", "partials", "nnz", "active_size", "heaviest", "scattered", "kept"]
)
def test_predictions_grow_with_each_count(seeds: Seeds, count: str) -> None:
    more = replace(FACTS, **{count: 10_000_000})
    for few, many in (
        (predict_seeded("forward", FACTS, seeds), predict_seeded("forward", more, seeds)),
        (predict_identity(FACTS), predict_identity(more)),
    ):
        assert 0.0 < few.seconds <= many.seconds < np.inf
    if count not in ("heaviest", "scattered"):  # whose price hangs on the size of the whole
        assert predict_seeded("forward", FACTS, seeds).seconds < predict_seeded("forward", more, seeds).seconds


@given(st.integers(1, 500), st.integers(1, 500))
def test_more_colors_cost_more(first: int, second: int) -> None:
    few, many = sorted((first, second))
    for make in (lambda c: Seeds(forward=c), lambda c: Seeds(reverse=c)):
        predictions = [predict_seeded("forward", FACTS, make(colors)) for colors in (few, many)]
        assert predictions[0].seconds <= predictions[1].seconds
        assert predictions[0].products == FACTS.partials * few
        assert predictions[0].passes == -(-few // FACTS.seed_width)


@pytest.mark.parametrize("name", [field.name for field in fields(Rates)])
def test_each_rate_counts_somewhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that no prediction goes by would be calibrated for nothing. Everything lies far away here."""
    for user in (cost, elimination):
        monkeypatch.setattr(user, "distance", lambda *_: 1.0)
    matrix = sp.random_array((50, 50), density=0.05, rng=np.random.default_rng(0), format="csr")
    engine = engine_of(lambda x: matrix @ np.tanh(x) * x)
    facts = [replace(FACTS, kept=900), replace(FACTS, heaviest=10**9)]

    def predicted() -> list[float]:
        seeded = [predict_seeded("forward", fact, Seeds(3, 2)).seconds for fact in facts]
        return [engine.predict("elimination").seconds, *seeded, *(predict_identity(fact).seconds for fact in facts)]

    before = predicted()
    monkeypatch.setattr(rates, "_current", replace(SHIPPED, **{name: 3.0 * getattr(SHIPPED, name)}))
    after = predicted()
    assert any(b > a for a, b in zip(before, after, strict=True))
    assert all(b >= a for a, b in zip(before, after, strict=True))


def engine_of(f: Any, n: int = 50) -> Engine:
    return sparsejac.prepare(f, np.ones(n))._variants.first.engine


def test_two_sided_estimates_are_reached() -> None:
    """An arrowhead: bicoloring finds what was estimated, or fewer."""
    sizes = np.array([60] + [2] * 59)
    assert estimate_two_sided(sizes, sizes).total == 4


def arrowhead(x: Array) -> Array:
    y = x[0] * x**2
    y[0] = np.sum(np.sin(x))
    return y


def test_choices_where_they_are_clear() -> None:
    """By counts: 200 colors for a dense row, against a few hundred entries."""
    engine = engine_of(arrowhead, 200)
    assert engine.strategy not in ("forward", "reverse")
    products = {name: engine.predict(name).products for name in ("forward", "identity")}
    assert products["forward"] > 50 * products["identity"]


def test_fewer_products_are_not_always_less_work() -> None:
    """Twelve layers of a band of three: half of the products, but each of them goes by places."""
    n, layers = 2000, 12
    products = 4 * n * sum(2 * layer + 1 for layer in range(1, layers + 1))
    chain = replace(FACTS, partials=4 * n * layers, products=products, stored=products // 2, active_size=2 * n * layers)
    colors = Seeds(forward=2 * layers + 1)
    assert predict_seeded("forward", chain, colors).products > predict_identity(chain).products
    assert predict_seeded("forward", chain, colors).seconds < predict_identity(chain).seconds


def layers(x: Array) -> Any:
    band = sp.diags_array([np.ones(len(x) - 1), np.full(len(x), 2.0)], offsets=[-1, 0]).tocsr()
    for _ in range(3):
        x = np.tanh(band @ x)
    return x


@pytest.mark.parametrize("f", [arrowhead, layers])
def test_auto_takes_the_best_prediction(f: Any) -> None:
    engine = engine_of(f, 100)
    chosen = engine.strategy
    for name in STRATEGIES:
        problem = STRATEGIES[name].problem
        if problem is not None:
            engine.color(problem)
    assert engine.predict(chosen).seconds == min(engine.predict(name).seconds for name in STRATEGIES)


@pytest.mark.parametrize(("evaluations", "is_tried"), [(1, False), (10**9, True)])
def test_elimination_is_predicted_where_that_takes_no_longer_than_so_many_evaluations(
    evaluations: int, is_tried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, tried = STEPS.make(30), []
    predict = elimination.Elimination.predict
    monkeypatch.setattr(candidates, "PAYS_WITHIN", evaluations)
    monkeypatch.setattr(elimination.Elimination, "predict", lambda *given: tried.append(given) or predict(*given))
    engines.clear()
    J = sparsejac.sparse_jacobian(problem.f, problem.x)
    assert bool(tried) is is_tried
    direction = np.random.default_rng(7).normal(size=problem.x.size)
    expected = (problem.f(problem.x + 1e-6 * direction) - problem.f(problem.x - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(J @ direction, expected, rtol=1e-6, atol=1e-6)
