"""Functions that look impure: what they read is a constant of the call, and a plan says that it keeps it."""

from __future__ import annotations

import random
import time
import warnings
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import sparsejac

X = np.array([0.5, 1.5, 2.5])
GENERATOR = np.random.default_rng(5)
COUNTER = {"calls": 0}


def noisy(x: Any) -> Any:
    noise = GENERATOR.uniform(1.0, 2.0, 3)
    return x * noise


def legacy_noise(x: Any) -> Any:
    return x[1:] * np.random.rand()


def python_noise(x: Any) -> Any:
    return x[1:] * random.random()


def clock(x: Any) -> Any:
    return x * time.perf_counter()


def counted(x: Any) -> Any:
    COUNTER["calls"] += 1
    return x * float(COUNTER["calls"])


def random_branch(x: Any) -> Any:
    COUNTER["calls"] += 1
    if COUNTER["calls"] % 2:
        return np.sin(x)
    return x * 2.0


def random_index(x: Any) -> Any:
    COUNTER["calls"] += 1
    return x[[COUNTER["calls"] % 3, 0]] * 2.0


def random_shape(x: Any) -> Any:
    COUNTER["calls"] += 1
    return x[: 1 + COUNTER["calls"] % 2] * 2.0


def random_structure(x: Any) -> Any:
    COUNTER["calls"] += 1
    return {f"name {COUNTER['calls']}": x}


def exhausted(x: Any, numbers: Any = iter([3.0])) -> Any:  # noqa: B008
    return x * next(numbers)


IMPURE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "generator": (noisy, "x * noise"),
    "numpy.random": (legacy_noise, "np.random.rand"),
    "random": (python_noise, "random.random"),
    "clock": (clock, "perf_counter"),
    "counter": (counted, "float(COUNTER"),
    "branch": (random_branch, "it took another way"),
    "index": (random_index, "it took another way"),
    "shape": (random_shape, "it took another way"),
    "structure": (random_structure, "structure dict"),
    "iterator": (exhausted, "second run raised StopIteration"),
}


@pytest.mark.parametrize("what", IMPURE)
def test_a_plan_warns(what: str) -> None:
    """The warning says what differs, points at the user's call, and names the cure."""
    f, told = IMPURE[what]
    with pytest.warns(sparsejac.PurityWarning) as caught:
        sparsejac.prepare(f, X)
    (warning,) = caught
    message = str(warning.message)
    assert message.startswith("prepare: f did not do the same")
    assert told in message
    assert "Cure: " in message
    assert warning.filename == __file__


@pytest.mark.parametrize("what", ["generator", "numpy.random", "random", "counter"])
def test_a_plan_keeps_what_was_read_at_first(what: str) -> None:
    """Value and Jacobian belong together, and stay."""
    f = IMPURE[what][0]
    seeds = GENERATOR.bit_generator.state, np.random.get_state(), random.getstate(), COUNTER["calls"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sparsejac.PurityWarning)
        plan = sparsejac.prepare(f, X)
    GENERATOR.bit_generator.state, COUNTER["calls"] = seeds[0], seeds[3]
    np.random.set_state(seeds[1])
    random.setstate(seeds[2])
    first = f(X)
    for _ in range(3):
        value, J = plan.value_and_jacobian(X)
        np.testing.assert_allclose(value, first, rtol=1e-15)
        np.testing.assert_allclose(J @ X, first, rtol=1e-14)


def test_a_call_reads_anew_and_is_consistent() -> None:
    """Of sparse_jacobian the numbers read are constants of one call: value and Jacobian agree in each."""
    seen = set()
    for _ in range(3):
        value, J = sparsejac.value_and_jacobian(noisy, X)
        np.testing.assert_allclose(J @ X, value, rtol=1e-14)
        seen.add(float(value[0]))
    assert len(seen) == 3


def test_files_that_change(tmp_path: Path) -> None:
    """A file is read at each call; a plan keeps what it held, and has no way to know."""
    file = tmp_path / "factor"
    file.write_text("2.0")
    plan = sparsejac.prepare(lambda x: x * float(file.read_text()), X)
    file.write_text("3.0")
    assert plan(X).data.tolist() == [2.0] * 3
    assert sparsejac.sparse_jacobian(lambda x: x * float(file.read_text()), X).data.tolist() == [3.0] * 3


class Lazy:
    """Builds a constant at its first call."""

    def __init__(self) -> None:
        self.matrix: Any = None

    def __call__(self, x: Any) -> Any:
        if self.matrix is None:
            self.matrix = np.arange(9.0).reshape(3, 3)
        return self.matrix @ x


def with_nan(x: Any) -> Any:
    return x * np.array([np.nan, 1.0, np.inf])


def with_own_generator(x: Any) -> Any:
    return x * np.random.default_rng(1).uniform(1.0, 2.0, 3)


def with_branches(x: Any) -> Any:
    y = x[x > 1.0]
    return y if x[0] > 1.0 else np.sum(y) * x


PURE = [Lazy(), with_nan, with_own_generator, with_branches, lambda x: 3.0, lambda x: [*x, 1.0]]


@pytest.mark.parametrize("f", PURE)
def test_no_false_alarm(f: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = sparsejac.prepare(f, X)
    np.testing.assert_array_equal(plan(X).toarray(), sparsejac.sparse_jacobian(f, X).toarray())


def test_a_class_that_f_defines_is_no_other_structure() -> None:
    def f(x: Any) -> Any:
        return namedtuple("Parts", "product")(x[0] * x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sparsejac.prepare(f, X)(X).product
    np.testing.assert_array_equal(found.toarray(), X[0] * np.eye(3) + np.outer(X, [1.0, 0.0, 0.0]))


def test_an_equal_key_with_another_text_is_no_other_structure() -> None:
    class Key:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Key)

        def __hash__(self) -> int:
            return 1

    kept = []  # so that no two have the same address in their text

    def f(x: Any) -> Any:
        kept.append(Key())
        return {kept[-1]: x[0] * x}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sparsejac.prepare(f, X)(X)[Key()]
    np.testing.assert_array_equal(found.toarray(), X[0] * np.eye(3) + np.outer(X, [1.0, 0.0, 0.0]))


def test_something_beside_may_count() -> None:
    """What comes beside the result is no part of the comparison: it is that of the first run."""
    COUNTER["calls"] = 0

    def f(x: Any) -> Any:
        COUNTER["calls"] += 1
        return x * 2.0, COUNTER["calls"]

    plan = sparsejac.prepare(f, X, has_aux=True)
    assert [plan(X)[1] for _ in range(3)] == [1, 1, 1]


def test_one_shot_calls_run_f_once() -> None:
    COUNTER["calls"] = 0

    def f(x: Any) -> Any:
        COUNTER["calls"] += 1
        return x * 2.0

    for call in (sparsejac.sparse_jacobian, sparsejac.value_and_jacobian, sparsejac.jacobian_sparsity):
        COUNTER["calls"] = 0
        call(f, X)
        assert COUNTER["calls"] == 1


def test_an_error_of_the_first_run_is_raised() -> None:
    def f(x: Any) -> Any:
        raise KeyError("missing")

    with pytest.raises(KeyError):
        sparsejac.prepare(f, X)


def test_arrays_that_change_where_they_are() -> None:
    """What the first run read is kept; a second run that reads other numbers at the same place is another one."""
    x, weights, rng = np.linspace(0.5, 1.0, 100), np.ones(100), np.random.default_rng(0)
    other = rng.uniform(1.0, 2.0, 100)

    def f(x: Any) -> Any:
        weights[:] = rng.uniform(1.0, 2.0, 100)
        return x * weights.copy() + other

    with pytest.warns(sparsejac.PurityWarning, match="a number that it read"):
        plan = sparsejac.prepare(f, x)
    first = np.random.default_rng(0)
    first.uniform(1.0, 2.0, 100)
    assert np.array_equal(plan(x).data, first.uniform(1.0, 2.0, 100))


def with_two_ways(weights: Any) -> Callable[[Any], Any]:
    return lambda x: weights * x**2 if x[0] > 0.0 else weights * x


WAYS: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "prepare": lambda f: sparsejac.prepare(f, X).values,
    "has_aux": lambda f: sparsejac.prepare(lambda x: (f(x), 1), X, has_aux=True),
    "prepare_hessian": lambda f: sparsejac.prepare_hessian(lambda x: np.sum(f(x) * x), X),
    "prepare_nlp": lambda f: sparsejac.prepare_nlp(lambda x: np.sum(x), f, X).jacobian,
    "prepare_inverse": lambda f: sparsejac.prepare_inverse(f, X),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_way_that_is_met_later_tells_what_changed(name: str) -> None:
    """Ways that are known keep what f captured; a new one has what is there now, which is told, once for each."""
    weights = np.array([1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate = WAYS[name](with_two_ways(weights))
        other = WAYS[name](with_two_ways(np.ones(3)))
        other(X), other(-X)  # nothing has changed
    weights[:] = 10.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(X)
    with pytest.warns(sparsejac.PurityWarning) as caught:
        evaluate(-X)
    (warning,) = caught
    message = str(warning.message)
    assert "a number that it read was 1 and then 10" in message
    assert "weights * x**2 if x[0]" in message
    assert "Cure: pass what changes as an argument" in message
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(-2.0 * X)


def test_ways_keep_the_numbers_that_they_were_met_with() -> None:
    weights = np.array([1.0, 2.0, 3.0])
    plan = sparsejac.prepare(with_two_ways(weights), X)
    weights[:] = 10.0
    with pytest.warns(sparsejac.PurityWarning):
        assert plan.values(-X).tolist() == [10.0, 10.0, 10.0]
    weights[:] = 20.0
    for _ in range(3):
        np.testing.assert_allclose(plan.values(X), 2.0 * X * np.array([1.0, 2.0, 3.0]))
        assert plan.values(-X).tolist() == [10.0, 10.0, 10.0]


def test_an_argument_that_changed_is_no_other_number_that_f_reads() -> None:
    """Arguments are compared by content: the way that is followed for the new one is no surprise."""
    factors = scipy.sparse.csr_array(np.eye(3))
    plan = sparsejac.prepare(lambda x, a: a @ x if x[0] > 0.0 else -(a @ x), X, factors)
    factors.data[:] = 5.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plan(X, factors).data.tolist() == [5.0] * 3
        assert plan(-X, factors).data.tolist() == [-5.0] * 3


def test_many_ways_are_not_checked_without_end() -> None:
    """An f that decides anew at each x is followed once for each, not twice."""
    COUNTER["calls"] = 0

    def f(x: Any) -> Any:
        COUNTER["calls"] += 1
        return x * 2.0 if int(x[0]) % 2 else x * 3.0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sparsejac.VariantWarning)
        plan = sparsejac.prepare(f, X)
        for k in range(1, 21):
            plan(X + k)
    assert plan.num_variants == 21
    assert COUNTER["calls"] == 2 + 2 * 7 + 13


def test_the_first_way_stays_what_it_is_when_a_bound_that_f_read_has_changed() -> None:
    """f then takes the same way where the plan expects another one: it reads other numbers, in another pattern."""
    bound, weights = np.zeros(1), np.array([1.0, 2.0, 0.0, 0.0])
    x = np.ones(4)
    plan = sparsejac.prepare(lambda x: weights * x if x[0] > bound[0] else x**2, x)
    bound[0], weights[:] = -5.0, [3.0, 4.0, 5.0, 6.0]
    with pytest.warns(sparsejac.PurityWarning, match="a number that it read was 0 and then -5|was 1 and then 3"):
        assert plan(-x).toarray().tolist() == np.diag([3.0, 4.0, 5.0, 6.0]).tolist()
    assert plan.pattern.nnz == 2
    assert plan.values(x).tolist() == plan(x).data.tolist() == [1.0, 2.0]
    for out in (None, np.empty(2)):
        with pytest.raises(sparsejac.InputError, match=r"outside plan.pattern"):
            plan.values(-x, out=out)
    assert plan.num_variants == 2


def test_who_makes_errors_of_warnings_gets_the_answer_at_the_next_call() -> None:
    for name in ("prepare", "prepare_inverse"):
        weights = np.ones(3)
        plan = getattr(sparsejac, name)(with_two_ways(weights), X)
        weights[:] = 5.0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(sparsejac.PurityWarning):
                plan(-X)
            found = plan(-X)
        found = found.diagonal() if name == "prepare" else found.ivjp(np.ones(3))
        np.testing.assert_allclose(found, 5.0 if name == "prepare" else 0.2)


def test_the_number_that_changed_is_named_beside_one_that_is_none() -> None:
    weights = np.array([np.nan, 1.0, 2.0])
    plan = sparsejac.prepare(with_two_ways(weights), X)
    weights[2] = 7.0
    with pytest.warns(sparsejac.PurityWarning, match="was 2 and then 7"):
        plan(-X)
