"""Plans on a device: the entries of the CPU's plan bit by bit, and nothing that a device would have to wait for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from api_options import EXPLICIT_STRATEGIES
from catalogue import CASES, named
from coloring import device as device_coloring
from emulated_cupy import MACHINES, counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended
from sparsejac import (
    InputError,
    InputTypeError,
    jacobian,
    jacobian_sparsity,
    prepare,
    sparse_jacobian,
    value_and_jacobian,
)
from sparsejac.device.evaluator import evaluator
from sparsejac.evaluation.engine import Engine

EMULATED = (
    *("smooth_chain", "flipped", "sums", "softmax", "fem_triangles", "brusselator", "padded", "matrix_products"),
    *("no_unknowns", "buffer_filled_with_an_unknown"),
)
"""Cases that are run by the emulation, which takes a second for each; a GPU runs all."""

NAMES = [case.name for case in CASES]
CHOSEN = NAMES if "gpu" in MACHINES else [name for name in EMULATED if name in NAMES]


def on_device(cupy: Any, args: tuple[Any, ...]) -> list[Any]:
    """Arrays of floats on the device, everything else as it is."""
    return [cupy.asarray(a) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a for a in args]


def bits(matrix: Any) -> Any:
    """Shape, index arrays and entries of a matrix of either machine, to be compared."""
    host = matrix if sp.issparse(matrix) else matrix.get()
    assert host.shape == matrix.shape
    return host.shape, host.indptr.tolist(), host.indices.tolist(), host.data.view(np.int64).tolist()


@pytest.mark.parametrize("name", CHOSEN)
def test_entries_are_those_of_the_cpu(cupy: Any, name: str) -> None:
    """Bit by bit those of compiled code on the CPU: contraction is off, and elementary functions are our own."""
    case = named(name)
    host = prepare(case.f, case.point(), *case.args, backend="numba")
    plan = prepare(case.f, cupy.asarray(case.point()), *on_device(cupy, case.args))
    assert (plan.strategy, plan.pattern) == (host.strategy, host.pattern)
    for k in (0, 1):
        assert bits(plan(cupy.asarray(case.point(k)))) == bits(host(case.point(k)))


def heat(x: Any) -> Any:
    """A stencil with a rim, and a function of its own at each point."""
    y = np.zeros(len(x))
    y[1:-1] = x[2:] - 2.0 * x[1:-1] + x[:-2] + np.exp(x[1:-1]) * x[2:]
    y[0], y[-1] = x[0], x[-1] * x[0]
    return y


def sums(x: Any) -> Any:
    """Few entries, several launches: too many points for one block."""
    y = np.exp(x).reshape(-1, 3).sum(axis=1)
    return y[1:] * y[:-1]


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("f", [heat, sums])
def test_strategies(cupy: Any, f: Any, strategy: Any) -> None:
    """All five give what they give on the CPU."""
    x = np.linspace(0.1, 1.0, 9)
    host = prepare(f, x, strategy=strategy, backend="numba")
    plan = prepare(f, cupy.asarray(x), strategy=strategy)
    assert plan.strategy == strategy
    assert bits(plan(cupy.asarray(x * x))) == bits(host(x * x))


@pytest.mark.parametrize("strategy", ["forward", "reverse", "bidirectional"])
def test_several_passes(cupy: Any, strategy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where seeds come in several chunks, all of them are recorded in a row."""
    for module in ("forward", "reverse"):
        monkeypatch.setattr(f"sparsejac.strategies.{module}.seed_width", lambda schedule: 2)

    def f(x: Any, c: float) -> Any:
        return np.concatenate([x[1:] * x[:-1] + c * x[0] * x[1:], [np.sum(x * x)]])

    x = np.linspace(1.0, 2.0, 7)
    host, plan = prepare(f, x, 2.0, strategy=strategy), prepare(f, cupy.asarray(x), 2.0, strategy=strategy)
    assert plan._plan._variants.first.engine.prepared.passes > 1
    np.testing.assert_allclose(plan(cupy.asarray(x)).get().toarray(), host(x).toarray(), rtol=1e-14)
    np.testing.assert_allclose(plan(cupy.asarray(x), 3.0).get().toarray(), host(x, 3.0).toarray(), rtol=1e-14)


def test_no_allocation_no_wait_no_copy(pretended: Any) -> None:
    """Once a plan has run on a stream, ``values(x, out=)`` launches, and does nothing else."""
    x = pretended.asarray(np.linspace(0.0, 1.0, 8))
    plan = prepare(heat, x)
    out = plan.values(x)
    for _ in range(4):
        counts.reset()
        plan.values(x, out=out)
        assert counts.launches >= 1
        assert (counts.allocations, counts.synchronisations, counts.to_host, counts.to_device) == (0, 0, 0, 0)
        assert counts.compilations == 0


def test_many_launches_become_a_graph(pretended: Any) -> None:
    """On the same arrays, a plan of several launches is replayed; other arrays, other streams begin anew."""
    x = pretended.asarray(np.linspace(0.1, 1.0, 9000))
    plan = prepare(sums, x, strategy="identity")
    out, expected = pretended.empty(plan.pattern.nnz), plan.values(x).get()
    counts.reset()
    for _ in range(5):
        out.fill(0.0)
        plan.values(x, out=out)
        np.testing.assert_array_equal(out.get(), expected)
    assert (counts.captures, counts.replays) == (1, 3)
    moved = pretended.asarray(x.get() * 2.0)
    np.testing.assert_array_equal(plan.values(moved, out=out).get(), plan.values(moved).get())
    with pretended.cuda.Stream() as stream:
        found = plan.values(x, out=pretended.empty(plan.pattern.nnz))
        stream.synchronize()
    np.testing.assert_array_equal(found.get(), expected)
    assert counts.captures == 1


def test_in_the_callers_capture(pretended: Any) -> None:
    """A caller who captures a stream gets the launches, not a graph inside a graph; waiting there is refused."""
    x = pretended.asarray(np.linspace(0.1, 1.0, 9000))
    plan, checked = prepare(sums, x, strategy="identity"), prepare(sums, x, strategy="forward")
    out = plan.values(x)
    with pretended.cuda.Stream(non_blocking=True) as stream:
        for each in (plan, checked):
            each.values(x, out=out, guards="deferred")
        stream.begin_capture()
        for _ in range(3):
            plan.values(x, out=out)
        with pytest.raises(InputError, match=r'is being captured(.|\n)*guards="deferred"'):
            checked.values(x, out=out)
        checked.values(x, out=out, guards="deferred")
        graph = stream.end_capture()
    x.set(x.get() + 1.0)
    out.fill(0.0)
    graph.launch()
    np.testing.assert_allclose(out.get(), plan.values(x).get(), rtol=1e-14)
    assert counts.replays == 1


def test_matrices_share_their_index_arrays(cupy: Any) -> None:
    """``plan(x)`` uploads them once; with copy_structure, and from sparse_jacobian, they are the caller's own."""
    x = cupy.asarray(np.linspace(0.0, 1.0, 6))
    plan = prepare(heat, x)
    first, second = plan(x), plan(x * 2.0)
    assert first.indices.data.ptr == second.indices.data.ptr
    assert first.indptr.data.ptr == second.indptr.data.ptr
    assert first.data.data.ptr != second.data.data.ptr
    assert plan(x, copy_structure=True).indices.data.ptr != first.indices.data.ptr
    once, again = sparse_jacobian(heat, x), sparse_jacobian(heat, x)
    assert once.indices.data.ptr != again.indices.data.ptr


def test_a_matrix_costs_no_wait(pretended: Any) -> None:
    """Beside the entries, nothing is allocated; CuPy's constructor, which waits, is not called."""
    x = pretended.asarray(np.linspace(0.0, 1.0, 6))
    plan = prepare(heat, x)
    plan(x)
    counts.reset()
    plan(x)
    assert (counts.allocations, counts.synchronisations, counts.to_host) == (1, 0, 0)


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_formats(cupy: Any, format: Any) -> None:
    x = np.linspace(0.0, 1.0, 6)
    found = prepare(heat, cupy.asarray(x), format=format)(cupy.asarray(x))
    assert found.format == format
    np.testing.assert_allclose(found.get().toarray(), sparse_jacobian(heat, x).toarray(), rtol=1e-14)


def test_calls_that_follow_f_anew(cupy: Any) -> None:
    """sparse_jacobian, value_and_jacobian, jacobian: what f captures may change."""
    x, scale = np.linspace(0.0, 1.0, 6), np.arange(6.0)

    def f(x: Any) -> Any:
        return scale * x * x

    there = cupy.asarray(x)
    for _ in range(2):
        expected = 2.0 * scale * x
        np.testing.assert_array_equal(sparse_jacobian(f, there).get().diagonal(), expected)
        np.testing.assert_array_equal(jacobian(f)(there).get().diagonal(), expected)
        y, J = value_and_jacobian(f, there)
        np.testing.assert_array_equal(cupy.asnumpy(y), scale * x * x)
        np.testing.assert_array_equal(J.get().diagonal(), expected)
        scale[2:] += 1.0


def test_value_beside_the_jacobian(cupy: Any) -> None:
    """Also where the strategy needs no value, where only a part is evaluated, and where all is constant."""
    x = np.linspace(0.1, 1.0, 9)
    for f in (heat, sums, lambda x: np.diff(x) + 1.0):
        for strategy in ("auto", "forward") if f is heat else ("auto",):
            plan = prepare(f, cupy.asarray(x), strategy=strategy)
            y, J = plan.value_and_jacobian(cupy.asarray(x))
            np.testing.assert_allclose(cupy.asnumpy(y), f(x), rtol=1e-14)
            np.testing.assert_allclose(J.get().toarray(), sparse_jacobian(f, x).toarray(), rtol=1e-13)
            np.testing.assert_allclose(cupy.asnumpy(plan.value(cupy.asarray(x))), f(x), rtol=1e-14)


def test_structures(cupy: Any) -> None:
    """Several arrays of x and of the result, by name."""

    def flow(state: Any, c: Any) -> Any:
        return {"mass": np.diff(state["u"]) * c, "force": state["p"] * state["u"][:2]}

    u, p = np.array([1.0, 2.0, 4.0]), np.array([3.0])
    state = {"u": cupy.asarray(u), "p": cupy.asarray(p)}
    plan = prepare(flow, state, 2.0)
    J, expected = plan(state, 5.0), sparse_jacobian(flow, {"u": u, "p": p}, 5.0)
    for row in ("mass", "force"):
        for column in ("u", "p"):
            np.testing.assert_array_equal(J[row][column].get().toarray(), expected[row][column].toarray())
    y, _ = plan.value_and_jacobian(state)
    np.testing.assert_array_equal(cupy.asnumpy(y["force"]), p * u[:2])


def test_ways_to_call_f(cupy: Any) -> None:
    """Several arguments by argnums, results in place, arguments by name, no unknowns, no results."""

    def residual(y: Any, u: Any, v: Any) -> None:
        y[0] = u[0] * v[1]
        y[1] = v[0] ** 2

    u, v = cupy.asarray(np.array([2.0])), cupy.asarray(np.array([3.0, 5.0]))
    ways: dict[str, Any] = {"argnums": (0, 1), "out_argument": 0, "out_like": 2}
    for by_u, by_v in (sparse_jacobian(residual, u, v, **ways), prepare(residual, u, v, **ways)(u, v)):
        np.testing.assert_array_equal(by_u.get().toarray(), [[5.0], [0.0]])
        np.testing.assert_array_equal(by_v.get().toarray(), [[0.0, 2.0], [6.0, 0.0]])

    def h(t: Any, y: Any, *, k: Any) -> Any:
        return k * y * y + t

    plan = prepare(h, 0.5, v, argnums=1, kwargs={"k": 2.0})
    np.testing.assert_array_equal(plan(0.7, v).get().diagonal(), [12.0, 20.0])
    k = cupy.asarray(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(plan(0.7, v, kwargs={"k": k}).get().diagonal(), [6.0, 100.0])
    np.testing.assert_array_equal(jacobian(h, 1)(0.1, v, k=3.0).get().diagonal(), [18.0, 30.0])
    number = prepare(lambda x: x[0] * x[1], v).value_and_jacobian(v)
    assert number[0].shape == ()
    assert float(number[0]) == 15.0
    assert prepare(lambda x: np.zeros(0) * x.sum(), v)(v).shape == (0, 2)
    nothing = cupy.asarray(np.zeros(0))
    assert prepare(lambda x: x, nothing)(nothing).shape == (0, 0)


def test_operands(cupy: Any) -> None:
    """Floats and arrays on the device change from call to call; what is fixed on the host belongs to the way."""

    def f(x: Any, c: Any, power: int, options: Any) -> Any:
        return c * x[1:] ** power + options["shift"] * x[:-1]

    x, c = np.linspace(1.0, 2.0, 5), np.arange(4.0)
    plan = prepare(f, cupy.asarray(x), cupy.asarray(c), 2, {"shift": 3.0})
    for more, power, shift in ((0.0, 2, 3.0), (1.0, 2, 4.0), (0.0, 3, -0.0)):
        found = plan(cupy.asarray(x), cupy.asarray(c + more), power, {"shift": shift})
        expected = sparse_jacobian(f, x, c + more, power, {"shift": shift})
        np.testing.assert_allclose(found.get().toarray(), expected.toarray(), rtol=1e-14)
    assert plan.num_variants == 2
    np.testing.assert_allclose(
        plan(cupy.asarray(x)).get().toarray(), sparse_jacobian(f, x, np.arange(4.0), 2, {"shift": 3.0}).toarray()
    )


def test_batches(cupy: Any) -> None:
    """A row of entries for each point; matrices and values as lists."""
    points = np.random.default_rng(0).uniform(0.1, 1.0, (4, 7))
    plan, there = prepare(heat, cupy.asarray(points[0])), cupy.asarray(points)
    host = prepare(heat, points[0], backend="numba")
    expected = host.values(points, batch=True)
    np.testing.assert_array_equal(cupy.asnumpy(plan.values(there, batch=True)), expected)
    out = cupy.empty(expected.shape)
    assert plan.values(there, batch=True, out=out) is out
    np.testing.assert_array_equal(cupy.asnumpy(out), expected)
    values, matrices = plan.value_and_jacobian(there, batch=True)
    for k, point in enumerate(points):
        np.testing.assert_array_equal(matrices[k].get().data, expected[k])
        np.testing.assert_allclose(cupy.asnumpy(values[k]), heat(point), rtol=1e-14)
    assert plan.values(there[:0], batch=True).shape == (0, plan.pattern.nnz)
    assert len(sparse_jacobian(heat, there, batch=True)) == 4


def test_what_follows_from_constants_alone(cupy: Any) -> None:
    """It is computed once, on the host, and uploaded: for a plan, for other constants, for batches."""
    rng = np.random.default_rng(0)
    ends, width, height = rng.integers(0, 40, (300, 2)), rng.uniform(1.0, 2.0, 300), rng.uniform(1.0, 2.0, 300)

    def network(x: Any) -> Any:
        flow = width * (height * np.sin(x[ends[:, 1]] - x[ends[:, 0]]))
        total = np.zeros(40)
        np.add.at(total, ends[:, 0], flow)
        np.add.at(total, ends[:, 1], -flow)
        return total

    points = rng.uniform(-1.0, 1.0, (3, 40))
    plan = prepare(network, cupy.asarray(points[0]), strategy="elimination")
    prepared = plan._plan._variants.first.engine.prepared
    assert prepared.stand_ins
    for values in (plan.values(cupy.asarray(points), batch=True), [plan.values(cupy.asarray(x)) for x in points]):
        for found, x in zip(values, points, strict=True):
            np.testing.assert_allclose(cupy.asnumpy(found), prepare(network, x).values(x), rtol=1e-12, atol=1e-14)
    width *= 3.0
    there = sparse_jacobian(network, cupy.asarray(points[0]), strategy="elimination")
    np.testing.assert_allclose(
        there.get().toarray(), sparse_jacobian(network, points[0]).toarray(), rtol=1e-12, atol=1e-14
    )


def test_out_may_overlap_x(cupy: Any) -> None:
    """x is read before anything is written there."""
    x = np.linspace(1.0, 2.0, 5)
    memory = cupy.asarray(np.concatenate([x, np.zeros(5)]))
    plan = prepare(lambda x: x[::-1] * x * x, memory[:5])
    plan.values(memory[:5], out=memory[: plan.pattern.nnz])
    np.testing.assert_array_equal(
        cupy.asnumpy(memory)[: plan.pattern.nnz], prepare(lambda x: x[::-1] * x * x, x).values(x)
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_repeated_calls_read_x_anew(cupy: Any, dtype: Any) -> None:
    """Calls with the very same arrays are made again without a look, but for what is in x; other arrays are seen."""
    first, second = np.arange(1.0, 7.0), np.arange(2.0, 14.0, 2.0)
    x = cupy.asarray(first.astype(dtype))
    plan, other = prepare(heat, x), cupy.asarray(first)
    out = cupy.empty(plan.pattern.nnz)
    for content in (first, second, first, second):
        x.set(content.astype(dtype))
        assert plan.values(x, out=out) is out
        np.testing.assert_allclose(cupy.asnumpy(out), sparse_jacobian(heat, content).data, rtol=1e-14)
    plan.values(other, out=out)
    np.testing.assert_allclose(cupy.asnumpy(out), sparse_jacobian(heat, first).data, rtol=1e-14)
    plan.values(x, out=out)
    np.testing.assert_allclose(cupy.asnumpy(out), sparse_jacobian(heat, second).data, rtol=1e-14)


def test_numbers_of_other_types(cupy: Any) -> None:
    """float32 and integers become float64; what is not contiguous is copied."""
    x = np.arange(1.0, 7.0)
    plan, expected = prepare(heat, cupy.asarray(x)), sparse_jacobian(heat, x).data
    for given in (cupy.asarray(x.astype(np.float32)), cupy.asarray(x.astype(np.int64))):
        np.testing.assert_allclose(cupy.asnumpy(plan.values(given)), expected, rtol=1e-14)
    spread = cupy.asarray(np.repeat(x, 2))[::2]
    np.testing.assert_allclose(cupy.asnumpy(plan.values(spread)), expected, rtol=1e-14)


def test_the_text_and_the_rest_of_a_plan(cupy: Any) -> None:
    """What a plan on the host tells, one on a device tells, too."""
    x = cupy.asarray(np.linspace(0.0, 1.0, 6))
    plan = prepare(heat, x)
    assert "__global__" in plan.source()
    assert repr(plan).endswith("on device 0>")
    assert plan.shape == (6, 6)
    assert plan.device == 0
    assert bool(plan.why(0, 0))
    assert "elimination" in str(plan.explain())
    plan.values(x)
    assert plan.nbytes >= 0
    assert plan.coloring is None


def test_wrong_arguments(cupy: Any) -> None:
    """Each message names what came and the cure."""
    x = np.linspace(0.0, 1.0, 6)
    there = cupy.asarray(x)
    plan = prepare(lambda x, c: c * x[1:] * x[:-1], there, 2.0)
    with pytest.raises(InputError, match=r"x has shape \(5,\), the plan was made for \(6,\)"):
        plan(there[:5])
    with pytest.raises(InputTypeError, match=r"x is a NumPy array on the host(.|\n)*cupy.asarray"):
        plan(x)
    with pytest.raises(InputTypeError, match=r"an argument of f is a NumPy array on the host(.|\n)*cupy.asarray"):
        plan(there, np.ones(5))
    with pytest.raises(InputTypeError, match="argument 1 is a NumPy array on the host"):
        prepare(lambda x, c: c * x, there, np.ones(6))
    with pytest.raises(InputError, match=r"out is a ndarray of shape \(3,\)(.|\n)*cupy.empty\(\(10,\), 'float64'\)"):
        plan.values(there, out=cupy.empty(3))
    with pytest.raises(InputError, match="out is a ndarray"):
        plan.values(there, out=np.empty(10))
    with pytest.raises(InputError, match="guards='later' is not an option"):
        plan.values(there, guards="later")
    for options, told in (({"backend": "numba"}, "backend='numba'"), ({"strategy": "measure"}, "strategy='measure'")):
        with pytest.raises(InputError, match=f"{told} with x on a device"):
            prepare(heat, there, **options)
    with pytest.raises(InputError, match="has_aux=True with x on a device"):
        sparse_jacobian(lambda x: (x, x), there, has_aux=True)
    with pytest.raises(InputError, match="local=True with x on a device"):
        sparse_jacobian(heat, there, local=True)
    with pytest.raises(InputTypeError, match="dtype complex128, not real numbers"):
        sparse_jacobian(heat, cupy.asarray(x + 0j))


def test_given_patterns_are_tested(cupy: Any) -> None:
    """A pattern that lacks entries raises, as on the host."""
    x = np.linspace(0.0, 1.0, 5)
    with pytest.raises(InputError, match="pattern"):
        prepare(heat, cupy.asarray(x), pattern=sp.csr_array(np.eye(5)), strategy="forward")


def test_colors_from_the_device(cupy: Any) -> None:
    """A coloring found there is taken, checked as any other."""
    x = np.linspace(0.1, 1.0, 8)
    pattern = jacobian_sparsity(heat, x)
    there = (cupy.asarray(pattern.indptr), cupy.asarray(pattern.indices), pattern.shape)
    found = device_coloring.color(there)
    for given in (found, found.colors):
        plan = prepare(heat, cupy.asarray(x), coloring=given)
        assert (plan.strategy, plan.coloring.num_colors) == ("forward", found.num_colors)
        expected = sparse_jacobian(heat, x).toarray()
        np.testing.assert_allclose(plan(cupy.asarray(x)).get().toarray(), expected, rtol=1e-14)
    with pytest.raises(InputError, match="color"):
        prepare(heat, cupy.asarray(x), coloring=cupy.asarray(np.zeros(8, np.int32)))


def test_engines_are_shared(cupy: Any) -> None:
    """Two plans of one structure compile once."""
    x = cupy.asarray(np.linspace(0.0, 1.0, 6))
    first, second = prepare(heat, x), prepare(heat, x)
    engines = [plan._plan._variants.first.engine for plan in (first, second)]
    assert engines[0] is engines[1]
    assert isinstance(engines[0], Engine)
    assert evaluator(engines[0]) is evaluator(engines[1])


@pytest.mark.gpu
def test_these_tests_ran_on_a_gpu() -> None:
    """Where there is one, all tests above ran there, too."""
    assert "gpu" in MACHINES
