"""How f may be called: several x, results written in place, something returned beside, arguments by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.sparse import csr_array

import sparsejac
from api_options import STRATEGIES
from oracles import Array, complex_step

U, V = np.array([0.5, 1.5, -1.0, 2.0]), np.array([1.25, -0.75])


def product(u: Any, v: Any, c: float = 1.0) -> Any:
    """Three outputs."""
    return c * np.concatenate([u[:2] * v, np.sin(u[3:]) * v[:1] ** 2])


def by(k: int, c: float = 1.0) -> Array:
    """The dense Jacobian of `product` by its argument k."""
    return complex_step(lambda z: product(z, V, c) if k == 0 else product(U, z, c), (U, V)[k])


# argnums


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("argnums", [(0, 1), (1, 0), (1,), (0,)])
def test_several_arguments(argnums: tuple[int, ...], strategy: Any) -> None:
    """A tuple of blocks in the order of argnums, from every entry point."""
    plan = sparsejac.prepare(product, U * 0.5, V * 0.5, 2.0, argnums=argnums, strategy=strategy)
    answers = [
        sparsejac.sparse_jacobian(product, U, V, 2.0, argnums=argnums, strategy=strategy),
        sparsejac.value_and_jacobian(product, U, V, 2.0, argnums=argnums, strategy=strategy)[1],
        sparsejac.jacobian(product, argnums, strategy=strategy)(U, V, 2.0),
        sparsejac.jacobian(product, argnums, strategy=strategy)(U, V, c=2.0),
        plan(U, V),
        plan(U, V, 2.0),
        plan(U, V, kwargs={}),
        plan.value_and_jacobian(U, V)[1],
    ]
    for found in answers:
        assert type(found) is tuple
        assert len(found) == len(argnums)
        for block, k in zip(found, argnums, strict=True):
            np.testing.assert_allclose(block.toarray(), by(k, 2.0), rtol=1e-13, atol=1e-15)
    assert plan.num_variants == 1


def test_one_argument_is_no_tuple() -> None:
    for k, other in ((0, by(0)), (1, by(1))):
        found = sparsejac.sparse_jacobian(product, U, V, argnums=k)
        assert isinstance(found, csr_array)
        np.testing.assert_allclose(found.toarray(), other, rtol=1e-13, atol=1e-15)
    assert isinstance(sparsejac.sparse_jacobian(product, U, V, argnums=np.int64(1)), csr_array)  # type: ignore[arg-type]


def test_several_arguments_are_two_blocks_also_if_they_are_numbers() -> None:
    a, b = sparsejac.sparse_jacobian(lambda a, b: a * b**2, 2.0, 3.0, argnums=(0, 1))
    assert (a.toarray().tolist(), b.toarray().tolist()) == ([[9.0]], [[12.0]])


def test_arguments_before_x_are_operands_of_a_plan() -> None:
    """f(t, y): a new t costs no trace."""
    calls = []

    def f(t: Any, y: Any) -> Any:
        calls.append(1)
        return t * y[1:] ** 2

    plan = sparsejac.prepare(f, 0.0, np.ones(3), argnums=1)
    for t in (1.0, -2.0, 0.5):
        assert plan(t, U[:3]).toarray().tolist() == [[0.0, 2 * t * U[1], 0.0], [0.0, 0.0, 2 * t * U[2]]]
        assert plan.values(t, U[:3]).tolist() == [2 * t * U[1], 2 * t * U[2]]
    assert len(calls) == 2


def test_solve_ivp_takes_the_jacobian_by_y() -> None:
    def rhs(t: float, y: Any) -> Any:
        return np.array([-50.0 * (y[0] - np.cos(t)) + y[1], -y[1] * y[0]])

    plan = sparsejac.prepare(rhs, 0.0, np.ones(2), argnums=1)
    own = solve_ivp(rhs, (0.0, 2.0), [1.0, 0.5], method="BDF", jac=plan, rtol=1e-8)
    reference = solve_ivp(rhs, (0.0, 2.0), [1.0, 0.5], method="BDF", rtol=1e-8)
    assert own.success
    np.testing.assert_allclose(own.y[:, -1], reference.y[:, -1], rtol=1e-6)


# Results written in place


def first(y: Any, x: Any) -> None:
    """Y comes first; some places are left alone."""
    y[0] = x[0] * x[1]
    for i in range(1, 3):
        y[i] += np.sin(x[i]) + y[i - 1]


def by_name(x: Any, c: float, out: Any = None) -> Any:
    """Y comes by name, and is returned as NumPy's functions do."""
    np.multiply(x[1:], x[:-1], out=out)
    out *= c
    return out


def wrapped(x: Array) -> Any:
    y = np.zeros(4, dtype=x.dtype)
    first(y, x)
    return y


@pytest.mark.parametrize("like", [4, (4,), np.zeros(4), np.int64(4)])
def test_written_into_the_first_argument(like: Any) -> None:
    expected = complex_step(wrapped, U)
    plan = sparsejac.prepare(first, np.ones(4), out_argument=0, out_like=like)
    for found in (
        sparsejac.sparse_jacobian(first, U, out_argument=0, out_like=like),
        sparsejac.jacobian(first, out_argument=0, out_like=like)(U),
        plan(U),
    ):
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-13, atol=1e-15)
    value, _ = plan.value_and_jacobian(U)
    np.testing.assert_allclose(value, wrapped(U), rtol=1e-15)
    assert sparsejac.jacobian_sparsity(first, U, out_argument=0, out_like=like).nnz == np.count_nonzero(expected)


def test_written_into_an_argument_by_name() -> None:
    expected = complex_step(lambda x: 3.0 * x[1:] * x[:-1], U)
    for found in (
        sparsejac.sparse_jacobian(by_name, U, 3.0, out_argument="out", out_like=3),
        sparsejac.sparse_jacobian(by_name, U, kwargs={"c": 3.0}, out_argument="out", out_like=3),
        sparsejac.prepare(by_name, U, 1.0, out_argument="out", out_like=3)(U, 3.0),
    ):
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-14)


def test_the_buffer_between_other_arguments() -> None:
    """f(t, dy, y, k): argnums count the arguments of the call, which has no buffer."""

    def f(t: Any, dy: Any, y: Any, k: Any) -> None:
        dy[:] = k * t * y[::-1]

    by_t, by_k = sparsejac.sparse_jacobian(
        f, 2.0, np.array([3.0, 4.0]), 5.0, argnums=(0, 2), out_argument=1, out_like=2
    )
    assert by_t.toarray().tolist() == [[20.0], [15.0]]
    assert by_k.toarray().tolist() == [[8.0], [6.0]]
    assert sparsejac.jacobian(f, 1, out_argument=1, out_like=2)(2.0, [3.0, 4.0], 5.0).nnz == 2


def test_the_buffer_holds_what_was_given_and_the_callers_is_left_alone() -> None:
    given = np.array([10.0, 20.0])

    def f(x: Any, out: Any) -> None:
        out *= x

    value, jacobian = sparsejac.value_and_jacobian(f, [2.0, 3.0], out_argument="out", out_like=given)
    assert value.tolist() == [20.0, 60.0]
    assert jacobian.toarray().tolist() == [[10.0, 0.0], [0.0, 20.0]]
    assert given.tolist() == [10.0, 20.0]


def test_several_buffers() -> None:
    def f(x: Any, out: Any) -> Any:
        out["flux"][:] = x[1:] - x[:-1]
        out["sum"][...] = np.sum(x**2)
        return out

    like = {"flux": np.zeros(3), "sum": np.zeros(())}
    value, blocks = sparsejac.value_and_jacobian(f, U, out_argument="out", out_like=like)
    assert value["sum"] == 7.5
    np.testing.assert_array_equal(blocks["flux"].toarray(), np.diff(np.eye(4), axis=0))
    np.testing.assert_array_equal(blocks["sum"].toarray(), 2 * U[None])


def test_integer_buffers_are_refused_as_by_numpy() -> None:
    """An int buffer would cut the values, and the derivatives with them."""
    with pytest.raises((sparsejac.UntraceableError, TypeError)):
        sparsejac.sparse_jacobian(first, U, out_argument=0, out_like=np.zeros(4, dtype=int))


@pytest.mark.parametrize("status", [None, 0, True])
def test_a_status_beside_the_buffer_is_no_result(status: Any) -> None:
    def f(x: Any, out: Any) -> Any:
        out[0] = x[1]
        return status

    assert sparsejac.sparse_jacobian(f, U, out_argument="out", out_like=2).toarray()[0].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("returned", [lambda x, out: x * 2.0, lambda x, out: x[0], lambda x, out: out[:1]])
def test_another_result_beside_the_buffer_is_refused(returned: Any) -> None:
    """Which of the two is meant cannot be known."""
    with pytest.raises(sparsejac.InputTypeError, match="beside what it wrote into its argument 'out'") as caught:
        sparsejac.sparse_jacobian(returned, U, out_argument="out", out_like=2)
    assert "Cure" in str(caught.value)
    assert f'File "{__file__}", line ' in str(caught.value)


def test_none_without_a_buffer_names_the_cure() -> None:
    with pytest.raises(sparsejac.InputTypeError, match="out_argument"):
        sparsejac.sparse_jacobian(lambda x: None, U)


# Something beside the result


@dataclass
class Report:
    """What a solver tells of itself."""

    norm: Any
    steps: Any


def with_report(x: Any) -> Any:
    y = x[1:] * x[:-1]
    beside = {
        "report": Report(np.sqrt(np.sum(y**2)), 7),
        "list": [x[0], [y[1] * 2.0, "text"], None],
        "mask": x > 0,
        "one": x[0] > 0,
        "complex": x[:2] * 1j,
        "plain": np.ones(2),
        "x": x,
        "none": np.zeros(0) * 2.0,
    }
    return y, beside


def is_plain(obj: Any) -> None:
    """Nothing of ours is left inside."""
    if isinstance(obj, dict):
        obj = list(obj.values())
    if type(obj) in (list, tuple):
        for item in obj:
            is_plain(item)
    elif isinstance(obj, Report):
        is_plain([obj.norm, obj.steps])
    else:
        assert type(obj).__module__ in ("builtins", "numpy")


def check_report(found: Any, x: Array) -> None:
    expected = with_report(x)[1]
    is_plain(found)
    assert sorted(found) == sorted(expected)
    np.testing.assert_allclose(found["report"].norm, expected["report"].norm, rtol=1e-15)
    assert found["report"].steps == 7
    assert found["list"][1][1:] == ["text"]
    assert found["list"][2] is None
    np.testing.assert_allclose([found["list"][0], found["list"][1][0]], [x[0], 2.0 * x[1] * x[2]])
    for name in ("mask", "one", "complex", "plain", "x", "none"):
        assert np.asarray(found[name]).dtype == np.asarray(expected[name]).dtype, name
        assert np.shape(found[name]) == np.shape(expected[name]), name
        np.testing.assert_array_equal(found[name], expected[name])


def test_aux_comes_back_as_plain_numbers() -> None:
    expected = complex_step(lambda x: x[1:] * x[:-1], U)
    J, aux = sparsejac.sparse_jacobian(with_report, U, has_aux=True)
    np.testing.assert_allclose(J.toarray(), expected)
    check_report(aux, U)
    value, J, aux = sparsejac.value_and_jacobian(with_report, U, has_aux=True)
    np.testing.assert_allclose(value, U[1:] * U[:-1])
    check_report(aux, U)
    J, aux = sparsejac.jacobian(with_report, has_aux=True)(U)
    np.testing.assert_allclose(J.toarray(), expected)
    check_report(aux, U)
    assert sparsejac.jacobian_sparsity(with_report, U, has_aux=True).nnz == 6


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_aux_of_a_plan_is_that_of_each_x(strategy: Any, backend: Any) -> None:
    plan = sparsejac.prepare(with_report, np.ones(4), has_aux=True, strategy=strategy, backend=backend)
    for x in (U, -U, U * 2.0):
        J, aux = plan(x)
        np.testing.assert_allclose(J.toarray(), complex_step(lambda z: z[1:] * z[:-1], x))
        check_report(aux, x)
        value, J, aux = plan.value_and_jacobian(x)
        np.testing.assert_allclose(value, x[1:] * x[:-1])
        check_report(aux, x)
        assert plan.values(x).shape == (6,)
    assert plan.num_variants == 1
    aux["plain"][:] = 9.0
    check_report(plan(U)[1], U)


def test_aux_has_no_part_in_the_pattern() -> None:
    plain = sparsejac.prepare(lambda x: x[1:] * x[:-1], U)
    beside = sparsejac.prepare(lambda x: (x[1:] * x[:-1], [np.sum(x), x, x[1:] * x[:-1]]), U, has_aux=True)
    assert beside.pattern == plain.pattern
    assert beside.strategy == plain.strategy


def test_aux_of_a_function_that_writes_in_place_is_all_that_it_returns() -> None:
    def f(out: Any, x: Any) -> Any:
        out[:] = x[:2] ** 2
        return np.sum(x), "done"

    J, (total, text) = sparsejac.sparse_jacobian(f, U, out_argument=0, out_like=2, has_aux=True)
    assert J.toarray().tolist() == [[1.0, 0, 0, 0], [0, 3.0, 0, 0]]
    assert (float(total), text) == (3.0, "done")


def followed_within(f: Any, x: Any, **options: Any) -> Any:
    return sparsejac.jacfwd(lambda x: sparsejac.jvp(f, x, x, **options)[1], x)


@pytest.mark.parametrize("call", [sparsejac.sparse_jacobian, followed_within])
@pytest.mark.parametrize("f", [lambda x: x, lambda x: (x, 1, 2), lambda x: [x, 1], lambda x: None])
def test_aux_needs_a_pair(f: Any, call: Any) -> None:
    with pytest.raises(sparsejac.InputTypeError, match=r"test_signatures.*\n(.*\n)?  Cure: return a pair"):
        call(f, U, has_aux=True)


# Arguments by name, operands in dicts


def rated(x: Any, *, k: Any, how: str = "up") -> Any:
    y = k["a"] * x[1:] - k["nested"]["b"] * x[:-1]
    return y if how == "up" else y[::-1]


def rated_jacobian(a: float, b: float) -> Array:
    return a * np.eye(4)[1:] - b * np.eye(4)[:-1]


def test_arguments_by_name() -> None:
    k = {"a": 2.0, "nested": {"b": 3.0}}
    for found in (
        sparsejac.sparse_jacobian(rated, U, kwargs={"k": k}),
        sparsejac.value_and_jacobian(rated, U, kwargs={"k": k})[1],
        sparsejac.jacobian(rated)(U, k=k),
        sparsejac.prepare(rated, U, kwargs={"k": k})(U),
    ):
        np.testing.assert_allclose(found.toarray(), rated_jacobian(2.0, 3.0))
    assert sparsejac.jacobian_sparsity(rated, U, kwargs={"k": k}).nnz == 6


def test_floats_in_dicts_change_without_a_new_trace() -> None:
    calls = []

    def f(x: Any, *, k: Any, how: str = "up") -> Any:
        calls.append(how)
        return rated(x, k=k, how=how)

    plan = sparsejac.prepare(f, U, kwargs={"k": {"a": 1.0, "nested": {"b": 0.0}}})
    assert plan.pattern.nnz == 6
    for a, b in ((2.0, 3.0), (-1.0, 0.5)):
        found = plan(U, kwargs={"k": {"a": a, "nested": {"b": b}}})
        np.testing.assert_allclose(found.toarray(), rated_jacobian(a, b))
    assert calls == ["up", "up"]
    found = plan(U, kwargs={"k": {"a": 2.0, "nested": {"b": 3.0}}, "how": "down"})
    np.testing.assert_allclose(found.toarray(), rated_jacobian(2.0, 3.0)[::-1])
    assert calls == ["up", "up", "down", "up"]  # the last one to see whether f is still what it was


def test_a_dict_with_another_key_or_count_is_another_way() -> None:
    plan = sparsejac.prepare(lambda x, k: x * sum(k.values()), U, {"a": 2.0, "n": 1})
    assert plan(U, {"a": 5.0, "n": 1}).data.tolist() == [6.0] * 4
    assert plan.num_variants == 1
    assert plan(U, {"a": 5.0, "n": 2}).data.tolist() == [7.0] * 4
    assert plan(U, {"b": 5.0, "n": 1}).data.tolist() == [6.0] * 4
    assert plan.num_variants == 3


def test_an_array_in_a_dict_is_read_when_it_is_passed() -> None:
    """Left out, it is what it was when the plan was made."""
    weights = np.ones(4)
    plan = sparsejac.prepare(lambda x, k: x * k["w"], U, {"w": weights})
    weights[:] = 3.0
    assert plan(U).data.tolist() == [1.0] * 4
    assert plan(U, {"w": weights}).data.tolist() == [3.0] * 4


# Numbers of other sorts


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.longdouble, bool])
def test_all_is_computed_in_double(dtype: Any) -> None:
    """The numbers that came, converted, and nothing rounded afterwards."""
    x = np.array([0.1, 2.0, 1.0]).astype(dtype)
    value, J = sparsejac.value_and_jacobian(lambda v: np.exp(v[1:]) * v[:-1], x)
    z = x.astype(np.float64)
    assert (value.dtype, J.dtype) == (np.dtype(np.float64), np.dtype(np.float64))
    np.testing.assert_allclose(value, np.exp(z[1:]) * z[:-1], rtol=1e-15)
    np.testing.assert_allclose(J.toarray(), complex_step(lambda v: np.exp(v[1:]) * v[:-1], z), rtol=1e-15)


SHAPES: dict[str, tuple[Callable[[Any], Any], Any, tuple[int, ...], tuple[int, int]]] = {
    "number to number": (lambda x: x**2, 3.0, (), (1, 1)),
    "0-d to 0-d": (lambda x: x**2, np.array(3.0), (), (1, 1)),
    "numpy number": (lambda x: x**2, np.float32(3.0), (), (1, 1)),
    "int": (lambda x: x**2, 3, (), (1, 1)),
    "vector to number": (lambda x: x @ x, U, (), (1, 4)),
    "number to matrix": (lambda x: np.full((2, 3), x), 2.0, (2, 3), (6, 1)),
    "matrix to matrix": (lambda x: x.T[:, :1], np.ones((2, 3)), (3, 1), (3, 6)),
    "empty to empty": (lambda x: x.reshape(0, 2), np.zeros((0, 3)), (0, 2), (0, 0)),
    "empty to number": (lambda x: np.sum(x), np.zeros(0), (), (1, 0)),
    "complex inside": (lambda x: np.abs(x + 1j * x[::-1]) ** 2, U, (4,), (4, 4)),
}


@pytest.mark.parametrize("what", SHAPES)
def test_shapes(what: str) -> None:
    f, x, of_value, of_jacobian = SHAPES[what]
    plan = sparsejac.prepare(f, x)
    for value, J in (sparsejac.value_and_jacobian(f, x), plan.value_and_jacobian(x)):
        assert np.shape(value) == of_value
        assert J.shape == of_jacobian
        np.testing.assert_allclose(value, f(np.asarray(x, dtype=float)), rtol=1e-14)


# Bad input

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "argnums list": ({"argnums": [0, 1]}, "argnums"),
    "argnums none": ({"argnums": ()}, "argnums"),
    "argnums twice": ({"argnums": (1, 1)}, "argnums"),
    "argnums negative": ({"argnums": (0, -1)}, "argnums"),
    "argnums bool": ({"argnums": True}, "argnums"),
    "argnums float": ({"argnums": 1.0}, "argnums"),
    "argnums too large": ({"argnums": (0, 2)}, "2 positional"),
    "out_argument alone": ({"out_argument": 0}, "out_argument came alone"),
    "out_like alone": ({"out_like": 3}, "out_like came alone"),
    "out_argument negative": ({"out_argument": -1, "out_like": 3}, "out_argument=-1"),
    "out_argument of a type": ({"out_argument": 1.5, "out_like": 3}, "out_argument=1.5"),
    "out_argument too large": ({"out_argument": 3, "out_like": 3}, "out_argument is 3"),
    "out_like text": ({"out_argument": 0, "out_like": "abc"}, "out_like holds a str"),
    "out_like nested text": ({"out_argument": 0, "out_like": {"a": "abc"}}, "out_like holds a str"),
    "out_like negative": ({"out_argument": 0, "out_like": (2, -1)}, "no shape"),
    "has_aux": ({"has_aux": "yes"}, "has_aux='yes'"),
    "kwargs": ({"kwargs": [1]}, "kwargs is a list"),
    "kwargs keys": ({"kwargs": {1: 2}}, "kwargs"),
    "kwargs and out": ({"kwargs": {"out": 1}, "out_argument": "out", "out_like": 3}, "'out' came in kwargs"),
}


@pytest.mark.parametrize("name", ["sparse_jacobian", "value_and_jacobian", "jacobian_sparsity", "prepare"])
@pytest.mark.parametrize("what", BAD)
def test_bad_options(what: str, name: str) -> None:
    """The error names the call, what came, this line, and the cure."""
    options, word = BAD[what]
    with pytest.raises((sparsejac.InputError, sparsejac.InputTypeError), match=word) as caught:
        getattr(sparsejac, name)(lambda u, v: u, U, V, **options)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "test_bad_options" in message
    assert "Cure: " in message


@pytest.mark.parametrize("option", ["batch", "local"])
@pytest.mark.parametrize("name", ["sparse_jacobian", "value_and_jacobian"])
def test_flags_are_true_or_false(name: str, option: str) -> None:
    with pytest.raises(sparsejac.InputTypeError, match=f"{name}: {option}=1 is neither True nor False"):
        getattr(sparsejac, name)(lambda u: u, U, **{option: 1})


def test_jacobian_checks_its_options_at_once() -> None:
    with pytest.raises(sparsejac.InputTypeError, match="argnums"):
        sparsejac.jacobian(product, argnums=(0, 0))
    with pytest.raises(sparsejac.InputError, match="out_like"):
        sparsejac.jacobian(product, out_argument=1)


def test_too_few_arguments_of_a_plan() -> None:
    plan = sparsejac.prepare(product, U, V, argnums=1)
    with pytest.raises(sparsejac.InputError, match="1 positional"):
        plan(U)


def test_threads_with_signatures_of_all_sorts() -> None:
    """Several x, a buffer and something beside, in eight threads at once."""

    def f(out: Any, a: Any, b: Any) -> Any:
        out[:] = a[:2] * b
        return np.sum(out)

    plan = sparsejac.prepare(f, np.ones(3), 1.0, argnums=(0, 1), out_argument=0, out_like=2, has_aux=True)
    failed: list[Any] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(20):
            a, b = rng.uniform(1, 2, 3), float(rng.uniform(1, 2))
            (by_a, by_b), total = plan(a, b)
            same = np.allclose(by_a.data, b) and np.allclose(by_b.data, a[:2]) and np.isclose(total, b * a[:2].sum())
            if not same:
                failed.append((a, b))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert not failed
