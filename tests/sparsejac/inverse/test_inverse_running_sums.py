"""Running sums in functions that are inverted: found again and undone by differences, against dense algebra."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from sparsejac import (
    ijvp,
    inverse_jacfwd,
    inverse_jacobian,
    ivjp,
    linearize_inverse,
    newton_step,
    prepare_inverse,
    slogdet,
    sparse_jacobian,
)
from sparsejac.errors import InputError, SingularError
from sparsejac.inverse import affordable, inverter, selection
from sparsejac.inverse.inverter import clear
from sparsejac.inverse.solvers.differences import Differences
from sparsejac.patterns import room
from tests.support.oracles import complex_step, differences

Function = Callable[[Any], Any]


def _blocks(x: Any) -> Any:
    """The halves are in turns summed up and scaled by the other one, which passes by."""
    half = len(x) // 2
    return np.concatenate([np.cumsum(x[:half]) * 2.0, np.cumsum(np.cumsum(x[half:])[::-1]) ** 2])


UNDONE: list[tuple[str, Function, tuple[int, ...], int]] = [
    ("alone", lambda x: np.cumsum(x), (3,), 1),
    ("longer", lambda x: np.cumsum(x), (50,), 1),
    ("of a map", lambda x: np.cumsum(x**3 + x), (9,), 1),
    ("before a map", lambda x: np.exp(0.01 * np.cumsum(x)), (17,), 1),
    ("backwards", lambda x: np.cumsum(x[::-1])[::-1], (8,), 1),
    ("twice", lambda x: np.cumsum(np.cumsum(x)), (7,), 2),
    ("to and fro", lambda x: np.cumsum(np.cumsum(x)[::-1] ** 2), (6,), 2),
    ("read twice", lambda x: (y := np.cumsum(x)) * np.exp(-0.01 * y[-1]) + np.roll(y, 1), (6,), 1),
    ("less what follows", np.subtract.accumulate, (6,), 1),
    ("first axis", lambda x: np.cumsum(x, axis=0), (5, 3), 1),
    ("last axis", lambda x: np.cumsum(x, axis=1), (3, 5), 1),
    ("middle axis", lambda x: np.cumsum(x, axis=1) ** 2, (2, 3, 4), 1),
    ("both axes", lambda x: np.cumsum(np.cumsum(x, axis=0), axis=1), (4, 3), 2),
    ("transposed", lambda x: np.cumsum(x.T), (3, 4), 1),
    ("interleaved", lambda x: np.append(np.cumsum(x[::2]), np.cumsum(x[1::2])), (9,), 2),
    ("parts", _blocks, (13,), 3),
]

OTHERS: list[tuple[str, Function, tuple[int, ...], int]] = [
    ("one number", lambda x: np.cumsum(x), (1,), 0),
    ("two numbers", lambda x: np.cumsum(x), (2,), 0),
    ("terms read again", lambda x: np.cumsum(x) + x, (7,), 0),
    ("terms from outside", lambda x: np.cumsum(np.append(1.0, x))[1:], (7,), 0),
    ("a sum left out", lambda x: np.append(x[0], np.cumsum(x)[1:] * x[0]), (7,), 0),
    ("partial sums read", lambda x: np.cumsum(x) + np.append(x[0], x[1:] + x[:-1]), (7,), 0),
    ("products", lambda x: np.cumprod(x), (7,), 0),
    ("not all doubled", lambda x: _twice_by_one(x), (7,), 0),
    ("weighted", lambda x: _weighted(x), (4,), 0),
]


def _twice_by_one(x: Any) -> Any:
    """As the first step of a running sum, two times."""
    for _ in range(2):
        x = np.concatenate([x[:1], x[1:] + x[:-1]])
    return x


def _weighted(x: Any) -> Any:
    """As a running sum, but for a factor."""
    y = np.concatenate([x[:1], x[1:] + x[:-1]])
    return np.concatenate([y[:2], y[2:] + 2.0 * y[:-2]])


@pytest.fixture
def at_any_size(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Running sums are undone by differences for few unknowns, too."""
    clear()
    monkeypatch.setattr(inverter, "FEW", 0)
    yield
    clear()


@pytest.mark.usefixtures("at_any_size")
@pytest.mark.parametrize(("f", "shape", "count"), [pytest.param(*case, id=name) for name, *case in UNDONE + OTHERS])
def test_inverses_with_running_sums(f: Function, shape: tuple[int, ...], count: int) -> None:
    x = 1.0 + 0.5 * np.random.default_rng(2).random(shape)
    n = x.size
    dense = complex_step(f, x)
    rtol, several = 1e-14 * np.linalg.cond(dense), np.random.default_rng(3).normal(size=(n, 2))
    v, w = several.reshape(*f(x).shape, 2), several.reshape(*shape, 2)

    def check(found: Any, wanted: Any) -> None:
        np.testing.assert_allclose(np.reshape(found, wanted.shape), wanted, rtol=0.0, atol=rtol * np.abs(wanted).max())

    lin = linearize_inverse(f, x)
    assert sum(isinstance(stage.form, Differences) for stage in lin.stages.stages) == count
    check(ivjp(f, x)(v), np.linalg.solve(dense, several))
    check(ijvp(f, x)(w), np.linalg.solve(dense.T, several))
    check(newton_step(f, x), -np.linalg.solve(dense, f(x).ravel()))
    check(prepare_inverse(f, np.ones(shape))(x).ivjp(v), np.linalg.solve(dense, several))
    np.testing.assert_allclose(slogdet(f, x), np.linalg.slogdet(dense), rtol=1e-9, atol=1e-12)
    inverse = inverse_jacobian(f, x)
    check(inverse if isinstance(inverse, np.ndarray) else inverse.toarray(), np.linalg.inv(dense))
    check(inverse_jacfwd(f, x), np.linalg.inv(dense))
    for lumps in ("finest", "one"):
        check(linearize_inverse(f, x, lumps=lumps).ivjp(v), np.linalg.solve(dense, several))
    stacked, right = np.vstack([dense, 0.5 * np.eye(n)]), np.append(-f(x).ravel(), np.zeros(n))
    check(newton_step(f, x, damping=0.25), np.linalg.lstsq(stacked, right, rcond=None)[0])


def test_many_running_sums_of_few_unknowns_are_one_lump() -> None:
    """A call for each would cost more than the product of all."""

    def f(x: Any) -> Any:
        for _ in range(20):
            x = np.cumsum(0.1 * np.sin(x) + x)
        return x

    x, v = np.linspace(0.1, 0.5, 4), np.array([1.0, -2.0, 0.5, 3.0])
    lin = linearize_inverse(f, x)
    assert len(lin.stages.stages) == 1
    dense = complex_step(f, x)
    np.testing.assert_allclose(dense @ lin.ivjp(v), v, rtol=0.0, atol=1e-15 * np.linalg.cond(dense))
    for n in (16, 60):
        stages = linearize_inverse(f, np.linspace(0.1, 0.5, n)).stages.stages
        assert len(stages) == 1 or sum(isinstance(stage.form, Differences) for stage in stages) == 20


def test_the_inverse_of_a_running_sum_is_exact_and_sparse() -> None:
    n = 3000
    v = np.random.default_rng(0).integers(-1000, 1000, n).astype(float)
    np.testing.assert_array_equal(ivjp(np.cumsum, np.ones(n))(v), np.diff(v, prepend=0.0))
    np.testing.assert_array_equal(ijvp(np.cumsum, np.ones(n))(v), v - np.append(v[1:], 0.0))
    assert inverse_jacobian(np.cumsum, np.ones(n)).nnz == 2 * n - 1
    told = str(prepare_inverse(np.cumsum, np.ones(n)).explain())
    assert "running sums, by differences" in told
    assert "one lump, J itself: many times that" in told


def test_running_sums_on_both_ways_through_f() -> None:
    def f(x: Any) -> Any:
        y = np.cumsum(x)
        return np.cumsum(y * 2.0) if y[2] > 0.0 else y**3

    x = np.array([1.0, -3.0, 4.0, 2.0, -9.0])
    plan = prepare_inverse(f, x)
    for z in (x, -x, 3.0 * x):
        dense = differences(f, z).jacobian
        np.testing.assert_allclose(plan(z).ijvp(x), np.linalg.solve(dense.T, x), rtol=1e-6)


def test_running_sums_of_inverses_that_are_differentiated() -> None:
    def f(x: Any) -> Any:
        return ivjp(lambda y: np.cumsum(y) ** 2, x)(x**2)

    x = np.array([2.0, 1.0, 4.0, 3.0])
    np.testing.assert_allclose(sparse_jacobian(f, x).toarray(), differences(f, x).jacobian, atol=1e-7)


def test_sums_of_numbers_from_far_behind_are_no_running_sums() -> None:
    def f(x: Any) -> Any:
        few = np.concatenate([x[:1], x[5:7] + x[7:9]])  # three numbers, of terms that stand behind the third place
        return np.concatenate([few**2, np.sin(x[1:7])])

    x = np.arange(1.0, 10.0) / 7.0
    v = np.cos(x)
    J = complex_step(f, x)
    np.testing.assert_allclose(ivjp(f, x)(v), np.linalg.solve(J, v), rtol=1e-10)
    np.testing.assert_allclose(ijvp(f, x)(v), np.linalg.solve(J.T, v), rtol=1e-10)


def test_what_is_singular_beside_a_running_sum_is_named() -> None:
    with pytest.raises(SingularError, match=r"output\[1\] \(here 0\)"):
        ivjp(lambda x: np.cumsum(x) ** 2, np.array([1.0, -1.0, 2.0, 3.0]))
    with pytest.raises(SingularError, match=r"does not depend on x\[3\]"):
        ivjp(lambda x: np.cumsum(np.append(x[:3], x[0])), np.ones(4))


def test_lumps_whose_many_products_would_fill_the_memory_are_refused_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 20_000  # 2e8 entries, which take 6 GiB
    monkeypatch.setattr(room, "memory", lambda: 1 << 30)
    for f in (lambda x: np.cumsum(x) + x, lambda x: np.cumprod(x) + x):
        with pytest.raises(InputError, match=r"makes 20000 numbers .* entries, which take .* GiB; this machine has 1"):
            ivjp(f, np.ones(n))
    monkeypatch.setattr(room, "memory", lambda: 1 << 33)
    v = np.random.default_rng(1).normal(size=n)
    banded = ivjp(lambda x: x + 0.1 * np.roll(x, 1) + 0.1 * np.roll(x, 7), np.ones(n))(v)
    np.testing.assert_allclose(banded + 0.1 * np.roll(banded, 1) + 0.1 * np.roll(banded, 7), v, rtol=1e-9, atol=1e-9)


def test_estimates_are_near_the_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ranks that are kept no longer than they are read, too."""
    found, pattern_of = [], selection.pattern_of

    def noted(liveness: Any, lump: Any, state: Any, steps: Any) -> Any:
        rows, size = pattern_of(liveness, lump, state, steps), liveness.schedule.sizes[liveness.schedule.x]
        random = np.random.default_rng(0)
        passes = 50
        least = sum(affordable._least_ranks(liveness, lump, state, steps, random) for _ in range(passes))
        np.testing.assert_allclose((affordable.RANKS * passes - 1) / least, np.diff(rows.indptr), rtol=0.25)
        found.append(size)
        return rows

    def late(x: Any) -> Any:
        y = np.cumsum(x)
        z = np.cumsum(y[::-1] * x)
        return z + np.roll(y, 3) * x[0]

    monkeypatch.setattr(selection, "pattern_of", noted)
    for f in (late, lambda x: np.cumsum(x) + x, lambda x: x + np.roll(x, 1) * x[::-1], lambda x: np.cumprod(x) + x):
        clear()
        prepare_inverse(f, np.linspace(0.5, 1.0, 61))
    assert found == [61] * 4


def test_far_too_many_entries_are_estimated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passes, least_ranks = [], affordable._least_ranks

    def noted(*given: Any) -> Any:
        passes.append(given)
        return least_ranks(*given)

    monkeypatch.setattr(affordable, "_least_ranks", noted)
    monkeypatch.setattr(selection, "pattern_of", lambda *given: pytest.fail("made"))
    for memory, count in ((1 << 26, 1), (1 << 31, affordable.PASSES)):
        passes.clear()
        monkeypatch.setattr(room, "memory", lambda memory=memory: memory)
        with pytest.raises(InputError, match=r"makes 10000 numbers .* entries, which take"):
            ivjp(lambda x: np.cumsum(x) + x, np.ones(10_000))
        assert len(passes) == count


def test_what_cannot_have_many_entries_is_not_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound that takes no time is none below the entries of any lump."""
    found, pattern_of = [], selection.pattern_of

    def noted(*given: Any) -> Any:
        liveness, lump, state, steps = given
        rows = pattern_of(*given)
        most = affordable._most_entries(lump, state, steps, liveness.schedule.sizes[liveness.schedule.x])
        assert most >= rows.nnz
        found.append(most / rows.nnz)
        return rows

    def sums(x: Any) -> Any:
        y = 3.0 * x
        np.add.at(y, np.r_[: len(x), : len(x)], np.concatenate([x, x[::-1] ** 2]))
        return y

    def neighbours(x: Any) -> Any:
        ends = np.concatenate([[0.0], x, [0.0]])
        return 4.0 * x + np.sin(ends[:-2]) - ends[2:] * x

    with monkeypatch.context() as patch:
        patch.setattr(selection, "pattern_of", noted)
        for f in (sums, neighbours, lambda x: x + x * x.sum(), lambda x: np.cumsum(x) + x):
            prepare_inverse(f, np.linspace(0.5, 1.0, 9))
    assert min(found) == 1.0
    monkeypatch.setattr(room, "memory", lambda: 1 << 30)
    monkeypatch.setattr(affordable, "_least_ranks", lambda *given: pytest.fail("estimated"))
    prepare_inverse(neighbours, np.linspace(0.5, 1.0, 30_000))
