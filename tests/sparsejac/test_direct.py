"""The short way through a plan, and evaluations that are one call of compiled code."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu

import sparsejac
from kernels import set_num_threads
from oracles import Array, complex_step
from sparsejac.evaluation import fused
from sparsejac.evaluation.engine import Engine
from sparsejac.strategies import STRATEGIES

N = 9
X = np.linspace(-1.0, 1.0, N) + 0.05

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def chain(x: Any, c: Any = 1.5, w: Any = None) -> Any:
    """Two stages, so that products are summed; tridiagonal."""
    y = x**2 + c * np.sin(x)
    y[1:] -= x[:-1] * y[:-1]
    return y * w if w is not None else y


def backward_sums(x: Any) -> Any:
    """Linear, with as many entries."""
    y = 2.0 * x
    y[1:] += x[:-1]
    return y


def engine_of(plan: Any) -> Any:
    return plan._variants.first.engine


def no_full_length(*arguments: Any) -> Any:
    raise AssertionError("taken apart at full length")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the calls of compiled code."""
    calls = [0]
    run = fused.Fused.run

    def counting(self: Any, inputs: Any, out: Any) -> Any:
        calls[0] += 1
        return run(self, inputs, out)

    def counting_again(self: Any, *arguments: Any) -> Any:
        write: Any = again(self, *arguments)

        def counting_write(x: Any, out: Any) -> Any:
            calls[0] += 1
            return write(x, out)

        return write and counting_write

    again = Engine.again
    monkeypatch.setattr(fused.Fused, "run", counting)
    monkeypatch.setattr(Engine, "again", counting_again)
    return calls


@each_strategy
def test_an_evaluation_is_one_call(strategy: Any, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = sparsejac.prepare(chain, X, strategy=strategy, backend="numba")
    plan(X)
    executor = engine_of(plan).backend.ready(())
    for name in ("values", "partials", "forward", "reverse"):
        monkeypatch.setattr(executor, name, no_full_length)
    monkeypatch.setattr(plan, "_bind", no_full_length)
    for x in (X, X[::-1].copy(), 3.0 * X):
        before = counted[0]
        expected = complex_step(chain, x)
        np.testing.assert_allclose(plan(x).toarray(), expected, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(plan.values(x), plan(x).data)
        value, jacobian = plan.value_and_jacobian(x)
        np.testing.assert_allclose(value, chain(x), rtol=1e-14)
        np.testing.assert_allclose(jacobian.toarray(), expected, rtol=1e-12, atol=1e-14)
        assert counted[0] - before == 4


def unaligned(x: Array) -> Array:
    room = np.zeros(8 * len(x) + 1, dtype=np.uint8)[1:].view(np.float64)
    room[:] = x
    return room


def read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


class Annotated(np.ndarray[Any, Any]):
    """A subclass of ndarray."""


FORMS: dict[str, Any] = {
    "array": np.array,
    "list": list,
    "tuple": tuple,
    "strided": lambda x: np.repeat(x, 2)[::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "unaligned": unaligned,
    "read-only": read_only,
    "big-endian": lambda x: x.astype(">f8"),
    "subclass": lambda x: x.view(Annotated),
    "objects": lambda x: x.astype(object).tolist(),
}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_x_of_every_form(backend: Any) -> None:
    plan = sparsejac.prepare(chain, X, backend=backend)
    expected = complex_step(chain, X)
    for form in FORMS.values():
        given = form(X)
        np.testing.assert_allclose(plan(given).toarray(), expected, rtol=1e-12, atol=1e-14)
        assert np.array_equal(np.asarray(given, dtype=np.float64), X)


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (2, 0), ()])
def test_x_of_other_shapes(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.0, shape)
    plan = sparsejac.prepare(lambda x: np.sin(x) * np.sum(x), x, backend="numba")
    size = x.size
    expected = complex_step(lambda v: np.ravel(np.sin(v.reshape(shape)) * np.sum(v)), x.reshape(-1))
    for given in (x, x.copy(order="F")):
        np.testing.assert_allclose(plan(given).toarray(), expected.reshape(size, size), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "wrong", [np.ones(N + 1), np.ones((N, 1)), np.ones(N, dtype=complex), np.full(N, "a"), None, 1.0]
)
def test_other_x_is_refused_as_ever(wrong: Any) -> None:
    plan = sparsejac.prepare(chain, X)
    with pytest.raises((ValueError, TypeError), match="plan"):
        plan(wrong)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_further_arguments(backend: Any) -> None:
    w = np.linspace(1.0, 2.0, N)
    plan = sparsejac.prepare(chain, X, 1.5, w, backend=backend)
    arguments: list[tuple[Any, ...]] = [(), (0.25,), (np.float64(2.0),), (2.0, w[::-1]), (-1.0, 2.0 * w), (0.0, w)]
    arguments += [(np.array(3.0), w)]
    for given in arguments:
        expected = complex_step(chain, X, (*given, *(1.5, w)[len(given) :]))
        np.testing.assert_allclose(plan(X, *given).toarray(), expected, rtol=1e-12, atol=1e-14)
    assert plan.num_variants == 1
    w[:] = 7.0  # the plan has its own
    np.testing.assert_allclose(
        plan(X).toarray(), complex_step(chain, X, (1.5, np.linspace(1.0, 2.0, N))), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_an_x_that_is_not_the_first_argument(backend: Any) -> None:
    """Both arguments are arrays of one shape: none of them is taken for the other one, however often it is called."""

    def f(p: Any, x: Any) -> Any:
        return p[1:] * np.sin(x[1:]) * x[:-1]

    p, plan = np.linspace(1.0, 2.0, N), sparsejac.prepare(f, np.ones(N), X, argnums=1, backend=backend)
    for shift in (0.0, 0.5, 1.0):
        expected = complex_step(lambda x, p=p + shift: f(p, x), X - shift)
        for _ in range(2):
            np.testing.assert_allclose(plan(p + shift, X - shift).toarray(), expected, rtol=1e-13, atol=1e-13)
            out = np.empty(plan.pattern.nnz)
            plan.values(p + shift, X - shift, out=out)
            np.testing.assert_allclose(out, expected[expected != 0.0], rtol=1e-13, atol=1e-13)


def test_an_argument_of_another_sort_goes_another_way() -> None:
    plan = sparsejac.prepare(chain, X, 2.0, backend="numba")
    plan(X, 3.0)
    np.testing.assert_allclose(plan(X, np.full(N, 3.0)).toarray(), complex_step(chain, X, (3.0,)), rtol=1e-12)
    np.testing.assert_allclose(plan(X, 3).toarray(), complex_step(chain, X, (3.0,)), rtol=1e-12)
    assert plan.num_variants == 3


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@each_strategy
def test_out_may_be_x(strategy: Any, backend: Any) -> None:
    """The entries are those at x as it was."""
    plan = sparsejac.prepare(lambda x: np.exp(x) * x[::-1], X, strategy=strategy, backend=backend)
    nnz = plan.pattern.nnz
    memory = np.empty(nnz + N)
    for start in (0, 1, nnz - 1, nnz):
        x = memory[start : start + N]
        x[:] = X
        expected = plan.values(X)
        assert plan.values(x, out=memory[:nnz]) is not None
        assert np.array_equal(memory[:nnz], expected)


@pytest.mark.parametrize(
    "out",
    [
        np.empty(3),
        np.empty(17, dtype=np.float32),
        np.empty(34)[::2],
        np.empty((17, 1)),
        read_only(np.empty(17)),
        unaligned(np.empty(17)),
        [0.0] * 17,
    ],
)
def test_out_that_cannot_be_written_is_refused(out: Any) -> None:
    plan = sparsejac.prepare(chain, X, backend="numba")
    assert plan.pattern.nnz == 17
    with pytest.raises(ValueError, match="out"):
        plan.values(X, out=out)


def peak_of(call: Any) -> int:
    call()
    tracemalloc.start()
    try:
        call()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def repeating(f: Any, x: Any, **options: Any) -> tuple[Any, Array]:
    """A plan that has come to know the shortest way of all, and an array for its entries."""
    plan = sparsejac.prepare(f, x, backend="numba", **options)
    out = np.empty(plan.pattern.nnz)
    for _ in range(20):
        plan.values(x, out=out)
    assert plan._variants.shortest is not None
    return plan, out


def entries_of(plan: Any) -> tuple[Any, Any]:
    """Rows and columns."""
    return np.repeat(np.arange(plan.shape[0]), np.diff(plan.pattern.indptr)), plan.pattern.indices


@each_strategy
def test_the_shortest_way_takes_x_of_every_form(strategy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, out = repeating(chain, X, strategy=strategy)
    entries = entries_of(plan)
    for k, form in enumerate(FORMS.values()):
        x = X[::-1] + 0.1 * k
        out.fill(np.nan)
        assert plan.values(form(x), out=out) is out
        np.testing.assert_allclose(out, complex_step(chain, x)[entries], rtol=1e-12, atol=1e-14)
    monkeypatch.setattr(plan._direct, "evaluate", no_full_length)
    assert plan.values(X, out=out) is out  # the rest is not needed
    again = plan._variants.shortest[0]
    assert again(np.ones(N + 1), out) is again(X, np.empty(18)) is None


@pytest.mark.parametrize("wrong", [np.ones(N + 1), np.ones((N, 1)), np.full(N, 1j), np.full(N, "a"), None, 1.0, "a"])
@pytest.mark.parametrize("f", [chain, backward_sums], ids=lambda f: f.__name__)
def test_the_shortest_way_takes_no_other_x(f: Any, wrong: Any) -> None:
    plan, out = repeating(f, X)
    with pytest.raises((ValueError, TypeError), match="plan"):
        plan.values(wrong, out=out)
    for bad in (np.empty(3), np.empty(17, dtype=np.float32), np.empty((17, 1)), read_only(np.empty(17)), [0.0] * 17):
        with pytest.raises(ValueError, match="out"):
            plan.values(X, out=bad)


def test_the_shortest_way_ends_where_f_takes_another() -> None:
    def branching(x: Any) -> Any:
        return x * x[1] if x[0] > 0 else np.sin(x) * x[1]

    x = np.array([0.5, 0.7, 0.3])
    plan, out = repeating(branching, x)
    for first in (1.0, -1.0, 2.0, -2.0, 3.0):
        x[0] = first
        plan.values(x, out=out)
        np.testing.assert_allclose(plan(x).toarray(), complex_step(branching, x), rtol=1e-13)
        np.testing.assert_array_equal(out, plan(x).data)
    assert plan.num_variants == 2
    assert plan._variants.shortest is None


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_values_of_another_way_are_those_of_the_pattern_or_refused(backend: Any) -> None:
    """However often they are asked for: with as many entries in other places they would look like those of the plan."""

    def f(x: Any) -> Any:
        if x[0] > 0.0:
            return x[1:] ** 2 + x[:-1]
        return 3.0 * np.sin(x[1:]) if x[1] > 0.0 else np.sin(x[1:]) * np.cos(x[0])

    plan, out = sparsejac.prepare(f, np.ones(3), backend=backend), np.empty(4)
    within, outside = np.array([-1.0, 2.0, 0.5]), np.array([-1.0, -2.0, 0.5])
    rows, columns = plan.pattern.to_scipy().nonzero()
    for _ in range(3):
        np.testing.assert_allclose(plan.values(within), complex_step(f, within)[rows, columns], rtol=1e-13)
        assert plan(outside).nnz == 4
        with pytest.raises(sparsejac.InputError, match=r"outside plan\.pattern"):
            plan.values(outside)
        with pytest.raises(sparsejac.InputError, match=r"outside plan\.pattern"):
            plan.values(outside, out=out)


def test_the_shortest_way_mends_what_is_not_finite() -> None:
    """A branch that was not taken spoils nothing; see `test_infinities_spoil_no_neighbour`."""

    def guarded(x: Any) -> Any:
        return np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), x) * x[::-1]

    plan, out = repeating(guarded, X)
    for x in (np.abs(X), -np.abs(X), np.append(X[1:], np.inf)):
        plan.values(x, out=out)
        np.testing.assert_array_equal(out, plan(x).data)


MATRIX_HOLDERS: dict[str, tuple[Any, Any]] = {
    "matrix": (lambda J: J, lambda held: held.data),
    "transposed": (lambda J: J.T, lambda held: held.data),
    "entries": (lambda J: J.data, lambda held: held),
    "some entries": (lambda J: J.data[3:5], lambda held: held.base),
    "another matrix": (lambda J: sp.csr_array((J.data, J.indices, J.indptr), J.shape), lambda held: held.data),
    "memory": (lambda J: memoryview(J.data), np.asarray),
    "LU": (lambda J: (splu(J.tocsc()), J), lambda held: held[1].data),
}


def test_what_is_held_of_a_matrix_stays() -> None:
    """Memory of entries is used again only once nobody holds it."""
    plan, _ = repeating(chain, X)
    held: dict[str, Any] = {}
    for k in range(60):
        name = sorted(MATRIX_HOLDERS)[(5 * k + k // 7) % len(MATRIX_HOLDERS)]
        x = X + 0.01 * k
        expected = complex_step(chain, x)[entries_of(plan)]
        held[name] = MATRIX_HOLDERS[name][0](plan(x)), expected
        for other, (kept, wanted) in held.items():
            np.testing.assert_allclose(MATRIX_HOLDERS[other][1](kept), wanted, rtol=1e-12, atol=1e-14)
    assert set(held) == set(MATRIX_HOLDERS)


def test_entries_that_are_changed_are_the_callers_own() -> None:
    plan, _ = repeating(chain, X)
    expected = complex_step(chain, X)
    for _ in range(10):
        J = plan(X)
        np.testing.assert_allclose(J.toarray(), expected, rtol=1e-12, atol=1e-14)
        J.data[:] = np.nan
        J.has_canonical_format = False
        values = plan.values(X)
        np.testing.assert_allclose(values, expected[entries_of(plan)], rtol=1e-12, atol=1e-14)
        values.fill(np.inf)


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_the_shortest_way_to_every_format(format: Any, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = repeating(chain, X, format=format)
    monkeypatch.setattr(plan._direct, "evaluate", no_full_length)
    before = counted[0]
    for x in (X, 2.0 * X, X[::-1].copy()):
        J = plan(x)
        assert J.format == format
        np.testing.assert_allclose(J.toarray(), complex_step(chain, x), rtol=1e-12, atol=1e-14)
    assert counted[0] == before + 3


def test_the_shortest_way_to_blocks_and_beside_others() -> None:
    def pair(x: Any) -> Any:
        return {"a": x[1:] * x[:-1], "b": np.sin(x)}

    plan, _ = repeating(pair, X)
    for x in (X, 2.0 * X):
        J = plan(x)
        for name in ("a", "b"):
            dense = complex_step(lambda v, name=name: pair(v)[name], x)
            np.testing.assert_allclose(J[name].toarray(), dense, rtol=1e-12, atol=1e-14)
    with_aux, _ = repeating(lambda x: (chain(x), x[0]), X, has_aux=True)
    for x in (X, 2.0 * X):
        J, beside = with_aux(x)
        np.testing.assert_allclose(J.toarray(), complex_step(chain, x), rtol=1e-12, atol=1e-14)
        assert beside == x[0]


def test_a_linear_function_by_the_shortest_way() -> None:
    plan, out = repeating(lambda x: 2.0 * x[1:] - x[:-1], X)
    expected = np.tile([-1.0, 2.0], N - 1)
    first, second = plan(X), plan(2.0 * X)
    first.data[:] = np.nan
    for entries in (second.data, plan(X).data, plan.values(X), plan.values(X, out=out)):
        assert np.array_equal(entries, expected)


def test_plans_of_one_function_do_not_meet() -> None:
    """They share an engine, but no memory in which to compute."""

    def f(x: Any) -> Any:  # of this test alone, as its engine is
        return np.cosh(x[1:]) * x[:-1] - 3.0 * x[1:]

    plans = [repeating(f, X)[0] for _ in range(3)]
    assert len({id(engine_of(plan)) for plan in plans}) == 1
    points = [X + k for k in range(3)]
    held = [plan(x) for plan, x in zip(plans, points, strict=True)]
    for J, x in zip(held, points, strict=True):
        np.testing.assert_allclose(J.toarray(), complex_step(f, x), rtol=1e-12, atol=1e-14)
    workspaces = engine_of(plans[0])._fused.workspaces
    for given_back in range(4):  # each gives back what it worked in
        assert len(workspaces._idle) == given_back
        del plans[:1]
        gc.collect()


@pytest.mark.parametrize("n", [50, 300_000])
def test_values_with_out_allocate_nothing(n: int) -> None:
    """Neither where all is one call nor launch by launch, with threads."""
    x = np.linspace(0.5, 1.0, n)
    set_num_threads(2)
    try:
        for f in (lambda x: x[1:] * np.sin(x[:-1]), lambda x: np.sqrt(x) if x[0] > 0 else x):
            plan = sparsejac.prepare(f, x, backend="numba")
            out = np.empty(plan.pattern.nnz)
            # Objects of calls and threads, watched by coverage: an array of n flags would have 300,000.
            assert peak_of(lambda plan=plan, out=out: plan.values(x, out=out)) < 40_000
    finally:
        set_num_threads(None)


@each_strategy
def test_branches(strategy: Any) -> None:
    """Decisions are looked at by compiled code; a way that does not hold is never taken."""

    def branching(x: Any) -> Any:
        if x[0] > 0:
            return x * x[1]
        return np.sin(x) if x[1] > 0 else x[::-1] * 2.0

    plan = sparsejac.prepare(branching, np.ones(3), strategy=strategy, backend="numba")
    signs = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    for first, second in signs * 3:
        x = np.array([0.5 * first, 0.7 * second, 0.3])
        np.testing.assert_allclose(plan(x).toarray(), complex_step(branching, x), rtol=1e-13, atol=1e-15)
    assert plan.num_variants == 3


@each_strategy
def test_infinities_spoil_no_neighbour(strategy: Any) -> None:
    def f(x: Any) -> Any:
        y = np.sqrt(x)
        return y[1:] * 2.0 + x[:-1]

    plan = sparsejac.prepare(f, np.ones(5), strategy=strategy, backend="numba")
    x = np.array([1.0, 0.0, 4.0, 0.0, 1.0])
    slopes = np.array([np.inf, 0.5, np.inf, 1.0])
    for _ in range(2):
        dense = plan(x).toarray()
        assert np.array_equal(dense.diagonal(1), slopes)
        assert np.array_equal(dense.diagonal(), np.ones(4))
        assert np.count_nonzero(dense) == 8


@each_strategy
def test_threads_share_a_plan(strategy: Any) -> None:
    plan = sparsejac.prepare(chain, X, strategy=strategy, backend="numba")
    points = [X + 0.1 * k for k in range(16)]
    expected = [plan.values(x).copy() for x in points]
    outs = [np.empty(plan.pattern.nnz) for _ in points]

    def work(k: int) -> bool:
        return all(
            np.array_equal(plan.values(points[k], out=outs[k]), expected[k])
            and np.array_equal(plan(points[k]).data, expected[k])
            for _ in range(50)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(len(points))))


def test_other_sizes_compile_nothing() -> None:
    plans = [sparsejac.prepare(chain, np.ones(n), backend="numba") for n in (12, 31)]
    functions = []
    for plan, n in zip(plans, (12, 31), strict=True):
        x = np.linspace(0.1, 0.9, n)
        np.testing.assert_allclose(plan(x).toarray(), complex_step(chain, x), rtol=1e-12, atol=1e-14)
        functions.append(engine_of(plan)._fused.function)
    assert functions[0] is functions[1]


CODE = """
import numpy as np, sparsejac
def f(x):
    y = x**2
    y[1:] -= x[:-1] * y[:-1]
    return y if x[0] > 0 else -y
x = np.linspace(0.5, 1.0, 4)
for strategy in ("identity", "forward", "reverse", "bidirectional"):
    plan = sparsejac.prepare(f, x, strategy=strategy, backend="numba")
    for sign in (1.0, -1.0, 1.0):
        slopes = np.diag(sign * 2.0 * sign * x)
        for i in range(3):
            slopes[i + 1, i] = -sign * 3.0 * x[i] ** 2
        assert np.allclose(plan(sign * x).toarray(), slopes), (strategy, sign)
    assert plan._variants.first.engine._fused is not None
"""


@pytest.mark.parametrize("disabled", ["0", "1"])
def test_plain_python_gives_the_same(disabled: str, tmp_path: Path) -> None:
    """With NUMBA_DISABLE_JIT=1 the generated text is run as it stands."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled, "SPARSEJAC_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
