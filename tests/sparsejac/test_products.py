"""Products with derivatives: against dense Jacobians, for single and several vectors, nested structures, bad input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import least_squares, newton_krylov
from scipy.sparse.linalg import LinearOperator, cg, gmres, lsmr

import sparsejac
from cases import Case, oracle, tolerance
from catalogue import CASES
from oracles import complex_step, differences
from sparsejac import (
    gauss_newton_operator,
    gradient,
    hessian,
    hessian_operator,
    hvp,
    jacfwd,
    jacobian_operator,
    jacrev,
    jvp,
    linear_transpose,
    linearize,
    value_and_gradient,
    vjp,
)
from sparsejac.products import evaluation
from sparsejac.products.linearization import Linearization

Array = NDArray[np.float64]
X = np.array([0.5, 1.5, -1.0, 2.0])
SOME = [case for k, case in enumerate(CASES) if k % 4 == 0]


def model(x: Array) -> Any:
    return np.stack([np.sin(x[1:]) * x[:-1] ** 2, np.exp(x[:-1]) + x[1:]])


def energy(x: Array) -> Any:
    return np.sum(np.cos(x[1:]) * x[:-1] ** 3) + x[0] * x[-1]


def gradient_by_steps(f: Any, x: Array) -> Array:
    return complex_step(lambda z: [f(z)], x)[0]


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_products_of_whole_functions(case: Case) -> None:
    x, estimate = case.point(), oracle(case)
    jacobian, error = estimate.jacobian, tolerance(estimate)
    rng = np.random.default_rng(1)
    v, shape = rng.normal(size=x.shape), np.shape(case.f(x.copy(), *case.args))
    w = rng.normal(size=shape)
    y, tangent = jvp(case.f, x, v, *case.args)
    assert np.shape(y) == np.shape(tangent) == shape
    np.testing.assert_allclose(y, case.f(x.copy(), *case.args), rtol=1e-12, atol=1e-12)
    assert (np.abs(np.ravel(tangent) - jacobian @ v.ravel()) <= error @ np.abs(v.ravel()) + 1e-300).all()
    y, pullback = vjp(case.f, x, *case.args)
    back = pullback(w)
    assert back.shape == x.shape
    assert (np.abs(back.ravel() - jacobian.T @ w.ravel()) <= error.T @ np.abs(w.ravel()) + 1e-300).all()
    assert np.sum(tangent * w) == pytest.approx(np.sum(v * back), rel=1e-10, abs=1e-10)


def test_columns_and_rows_are_those_of_the_sparse_jacobian() -> None:
    matrix = sparsejac.sparse_jacobian(model, X).toarray()
    np.testing.assert_allclose(jvp(model, X, np.eye(4))[1].reshape(6, 4), matrix, rtol=1e-14)
    np.testing.assert_allclose(vjp(model, X)[1](np.eye(6).reshape(2, 3, 6)), matrix.T, rtol=1e-14)
    np.testing.assert_allclose(jacfwd(model, X).reshape(6, 4), matrix, rtol=1e-14)
    np.testing.assert_allclose(jacrev(model, X).reshape(6, 4), matrix, rtol=1e-14)


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_backends_agree(name: Any) -> None:
    matrix = complex_step(model, X)
    v, w = np.arange(12.0).reshape(4, 3), np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(jvp(model, X, v, backend=name)[1].reshape(6, 3), matrix @ v, rtol=1e-13)
    np.testing.assert_allclose(vjp(model, X, backend=name)[1](w), matrix.T @ w.ravel(), rtol=1e-13)
    np.testing.assert_allclose(linearize(model, X, backend=name).jtj(v), matrix.T @ matrix @ v, rtol=1e-12)


def test_more_unit_vectors_than_are_carried_at_once() -> None:
    x = np.linspace(0.1, 1.0, 150)

    def f(x: Array) -> Any:
        return np.sin(x[2:]) * x[:-2]

    matrix = complex_step(f, x)
    np.testing.assert_allclose(jacfwd(f, x), matrix, rtol=1e-13)
    np.testing.assert_allclose(jacrev(f, x), matrix, rtol=1e-13)


@given(
    rows=st.integers(0, 4),
    columns=st.integers(0, 4),
    seeds=st.one_of(st.none(), st.integers(0, 3)),
    seed=st.integers(0, 99),
)
@settings(max_examples=16)
def test_linear_maps_of_all_sizes(rows: int, columns: int, seeds: int | None, seed: int) -> None:
    """<A v, w> = <v, A' w>, also where a side or the number of vectors is 0 or 1."""
    rng = np.random.default_rng(seed)
    a, x = rng.integers(-3, 4, (rows, columns)).astype(float), rng.normal(size=columns)
    tail = () if seeds is None else (seeds,)
    v, w = rng.normal(size=(columns, *tail)), rng.normal(size=(rows, *tail))

    def f(x: Array) -> Any:
        return a @ x

    np.testing.assert_allclose(jvp(f, x, v)[1], a @ v, atol=1e-13)
    lin = linearize(f, x)
    assert lin.shape == (rows, columns)
    np.testing.assert_allclose(lin.jvp(v), a @ v, atol=1e-13)
    np.testing.assert_allclose(lin.vjp(w), a.T @ w, atol=1e-13)
    np.testing.assert_allclose(lin.jtj(v), a.T @ (a @ v), atol=1e-12)
    np.testing.assert_allclose(linear_transpose(f, x)(w), a.T @ w, atol=1e-13)


class State(NamedTuple):
    u: Any
    p: Any


@dataclass
class Rates:
    k: Any
    w: Any


@pytest.mark.parametrize(
    "make", [State, Rates, lambda u, p: {"u": u, "p": p}, lambda u, p: (u, p), lambda u, p: [u, p]]
)
def test_structures(make: Any) -> None:
    """A tangent has the structure of x, a cotangent that of the result."""

    def parts(s: Any) -> Any:
        return list(s.values()) if isinstance(s, dict) else [s.k, s.w] if isinstance(s, Rates) else list(s)

    def f(s: Any) -> Any:
        u, p = parts(s)
        return {"mass": u[1:] * p, "power": p * np.sum(u)}

    u, p, du, dp = np.array([1.0, 2.0, 4.0]), 3.0, np.array([1.0, 0.0, -1.0]), 0.5
    y, tangent = jvp(f, make(u, p), make(du, dp))
    assert y["mass"].tolist() == [6.0, 12.0]
    assert y["power"] == 21.0
    np.testing.assert_allclose(tangent["mass"], [0.0 * 3 + 2 * 0.5, -3.0 + 4 * 0.5])
    assert tangent["power"] == pytest.approx(7 * 0.5)
    _, pullback = vjp(f, make(u, p))
    back = pullback({"mass": np.array([1.0, 10.0]), "power": 100.0})
    assert type(back) is type(make(u, p))
    by_u, by_p = parts(back)
    assert by_u.tolist() == [300.0, 303.0, 330.0]
    assert by_p == 2.0 + 40.0 + 700.0
    several = pullback({"mass": np.eye(3)[:2], "power": np.eye(3)[2]})
    assert parts(several)[0].shape == (3, 3)
    assert parts(several)[1].tolist() == [2.0, 4.0, 7.0]


def test_blocks_of_dense_jacobians() -> None:
    def f(s: Any) -> Any:
        return s["a"][:, None] * s["b"], np.sum(s["a"])

    x = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0, 5.0])}
    for dense in (jacfwd(f, x), jacrev(f, x)):
        product, total = dense
        assert product["a"].shape == (2, 3, 2)
        assert product["a"][1, :, 1].tolist() == [3.0, 4.0, 5.0]
        assert product["b"][1].tolist() == (2.0 * np.eye(3)).tolist()
        assert total["a"].tolist() == [1.0, 1.0]
        assert total["b"].tolist() == [0.0] * 3


def test_arguments_by_position_and_name() -> None:
    def f(t: float, y: Array, c: float = 1.0) -> Any:
        return c * t * y[1:] * y[0]

    y = np.array([2.0, 3.0, 5.0])
    v = np.array([1.0, 0.0, 0.0])
    assert jvp(f, y, v, 10.0, argnums=1)[1].tolist() == [30.0, 50.0]
    assert jvp(f, y, v, 10.0, argnums=1, kwargs={"c": 2.0})[1].tolist() == [60.0, 100.0]
    assert jvp(f, (10.0, y), (1.0, v), argnums=(0, 1))[1].tolist() == [30.0 + 6.0, 50.0 + 10.0]
    assert vjp(f, 10.0, y, argnums=1)[1](np.array([1.0, 0.0])).tolist() == [30.0, 20.0, 0.0]
    by_t, by_y = vjp(f, 10.0, y, argnums=(0, 1))[1](np.array([1.0, 0.0]))
    assert by_t == 6.0
    assert by_y.tolist() == [30.0, 20.0, 0.0]
    assert gradient(lambda t, y: t * y[0], 4.0, y, argnums=1).tolist() == [4.0, 0.0, 0.0]


def test_numbers() -> None:
    y, tangent = jvp(lambda x: x**3, 2.0, 1.0)
    assert (y, tangent) == (8.0, 12.0)
    assert gradient(np.sin, 0.0) == 1.0
    assert hvp(lambda x: x**3, 2.0, 1.0) == pytest.approx(12.0)
    assert hessian(lambda x: x**3, 2.0) == pytest.approx(12.0)
    assert jacfwd(np.sin, 0.0).shape == ()


def test_gradients_are_those_of_complex_steps() -> None:
    expected = gradient_by_steps(energy, X)
    np.testing.assert_allclose(gradient(energy, X), expected, rtol=1e-14)
    value, found = value_and_gradient(energy, X)
    assert value == energy(X)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_second_order_products() -> None:
    matrix = complex_step(lambda z: gradient_of_energy(z), X)
    v = np.arange(8.0).reshape(4, 2)
    np.testing.assert_allclose(gradient_of_energy(X), gradient(energy, X), rtol=1e-13)
    np.testing.assert_allclose(hvp(energy, X, v), matrix @ v, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(hvp(energy, X, v[:, 1]), matrix @ v[:, 1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(hessian_operator(energy, X) @ v, matrix @ v, rtol=1e-12, atol=1e-12)


def gradient_of_energy(x: Array) -> Any:
    """By hand."""
    result = np.zeros(len(x), dtype=x.dtype)
    result[:-1] += 3 * np.cos(x[1:]) * x[:-1] ** 2
    result[1:] -= np.sin(x[1:]) * x[:-1] ** 3
    result[0] += x[-1]
    result[-1] += x[0]
    return result


def test_a_linearization_computes_f_once() -> None:
    calls = []

    def f(x: Array) -> Any:
        calls.append(1)
        return np.exp(x[1:]) * x[:-1]

    lin = linearize(f, X)
    y, push = linearize(f, X)
    matrix = complex_step(lambda z: np.exp(z[1:]) * z[:-1], X)
    for k in range(3):
        np.testing.assert_allclose(lin.jvp(np.eye(4)[k]), matrix[:, k])
        np.testing.assert_allclose(lin.vjp(np.eye(3)[k]), matrix[k])
    np.testing.assert_allclose(push(np.ones(4)), matrix.sum(axis=1))
    assert y.tolist() == lin.value.tolist() == (np.exp(X[1:]) * X[:-1]).tolist()
    assert len(calls) == 2
    assert lin.nbytes >= 8 * 3
    assert repr(lin) == f"<Linearization of f: Jacobian 3 x 4, {lin.nbytes} bytes>"


def test_a_linearization_is_of_the_numbers_that_it_was_made_with() -> None:
    x, c = X.copy(), np.array([2.0, 3.0, 4.0])
    lin = linearize(lambda x: c * x[1:] ** 2, x)
    before = lin.jvp(np.ones(4)).tolist()
    x[:] = 0.0
    c[:] = 0.0
    assert lin.jvp(np.ones(4)).tolist() == before
    lin.value[:] = 7.0
    assert lin.value.tolist() == [4.5, 3.0, 16.0]


@pytest.mark.parametrize("kind", ["diagonal", "matrix", "sparse", "operator", "function", "list"])
def test_gauss_newton_products(kind: str) -> None:
    matrix = complex_step(model, X)
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(6, 6))
    dense = dense + dense.T
    if kind in ("diagonal", "list"):
        dense = np.diag(np.arange(1.0, 7.0))
    loss = {
        "diagonal": np.arange(1.0, 7.0),
        "list": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "matrix": dense,
        "sparse": sp.csr_array(dense),
        "operator": LinearOperator((6, 6), matvec=lambda a: dense @ a, matmat=lambda a: dense @ a),
        "function": lambda a: dense @ a,
    }[kind]
    v = rng.normal(size=(4, 2))
    expected = matrix.T @ dense @ matrix @ v
    lin = linearize(model, X)
    np.testing.assert_allclose(lin.jtj(v, loss), expected, rtol=1e-11)
    np.testing.assert_allclose(lin.jtj(v[:, 0], loss), expected[:, 0], rtol=1e-11)
    np.testing.assert_allclose(gauss_newton_operator(model, X, loss_hessian=loss) @ v, expected, rtol=1e-11)
    np.testing.assert_allclose(lin.jtj(v), matrix.T @ matrix @ v, rtol=1e-11)


def test_operators_multiply_from_all_sides() -> None:
    matrix = complex_step(model, X)
    operator = jacobian_operator(model, X)
    assert operator.shape == (6, 4)
    v, w = np.arange(8.0).reshape(4, 2), np.arange(18.0).reshape(6, 3)
    np.testing.assert_allclose(operator @ v, matrix @ v, rtol=1e-13)
    np.testing.assert_allclose(operator @ v[:, 0], matrix @ v[:, 0], rtol=1e-13)
    np.testing.assert_allclose(operator @ v[:, :1], matrix @ v[:, :1], rtol=1e-13)
    np.testing.assert_allclose(operator.T @ w, matrix.T @ w, rtol=1e-13)
    np.testing.assert_allclose(operator.H @ w[:, 0], matrix.T @ w[:, 0], rtol=1e-13)
    assert (operator @ np.empty((4, 0))).shape == (6, 0)
    with pytest.raises(sparsejac.InputTypeError, match="complex128"):
        operator @ (1j * v)


def test_complex_vectors_are_told_what_to_do() -> None:
    """What a complex x asks for is no cure for a vector."""
    for name, call in (("v", lambda v: sparsejac.jvp(model, X, v)), ("w", sparsejac.vjp(model, X)[1])):
        with pytest.raises(sparsejac.InputTypeError, match=rf"Cure: pass {name}\.real and {name}\.imag apart"):
            call(np.ones(7) * 1j)
    with pytest.raises(sparsejac.InputTypeError, match="Cure: pass real and imaginary parts as one real x"):
        sparsejac.jvp(model, X * 1j, X)


def test_operators_in_solvers() -> None:
    def residual(x: Array) -> Any:
        return np.concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])

    x = np.linspace(-1.0, 0.5, 6)
    matrix = complex_step(residual, x)
    b = np.arange(10.0)
    expected = np.linalg.lstsq(matrix, b, rcond=None)[0]
    np.testing.assert_allclose(lsmr(jacobian_operator(residual, x), b, atol=1e-13, btol=1e-13)[0], expected, rtol=1e-6)
    normal, rhs = gauss_newton_operator(residual, x), matrix.T @ b
    np.testing.assert_allclose(cg(normal, rhs, rtol=1e-12)[0], expected, rtol=1e-6)
    fit = least_squares(residual, x, jac=lambda x: jacobian_operator(residual, x), tr_solver="lsmr")
    np.testing.assert_allclose(fit.x, np.ones(6), atol=1e-6)

    def square(x: Array) -> Any:
        return x**3 + np.roll(x, 1)

    count = []

    def chain(x: Array) -> Any:
        count.append(1)
        ends = np.concatenate([[1.0], x, [0.0]])
        return 4000.0 * (ends[2:] - 2.0 * x + ends[:-2]) - np.exp(x)

    inverse = LinearOperator((40, 40), matvec=sparsejac.ivjp(chain, np.zeros(40)))
    count.clear()
    plain = newton_krylov(chain, np.zeros(40), f_tol=1e-9)
    without = len(count)
    helped = newton_krylov(chain, np.zeros(40), f_tol=1e-9, inner_M=inverse)
    np.testing.assert_allclose(helped, plain, rtol=1e-8)
    assert 4 * (len(count) - without) < without

    step = gmres(jacobian_operator(square, X), square(X), rtol=1e-12)[0]
    np.testing.assert_allclose(step, np.linalg.solve(complex_step(square, X), square(X)), rtol=1e-8)


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda x: x**2, "its derivative depends on x"),
        (lambda x: x + 1.0, r"f\(0\) is not 0"),
        (lambda x: x if x[0] > 0 else 2 * x, "it decides on values of x"),
        (np.floor, "it jumps"),
        (lambda x: x - np.trunc(x), "it jumps"),
        (lambda x: x + (x > 2.0), "it jumps"),
        (lambda x: np.mod(x, 2.0), "it jumps"),
        (lambda x: x + np.count_nonzero(x), "it jumps"),
    ],
)
def test_what_is_not_linear_is_not_transposed(f: Any, why: str) -> None:
    with pytest.raises(sparsejac.InputError, match=f"linear_transpose: f is not linear: {why}"):
        linear_transpose(f, X)


@pytest.mark.parametrize(
    ("f", "n", "rows"),
    [
        (lambda x: np.zeros(3), 2, 3),
        (lambda x: x[:0], 4, 0),
        (lambda x: np.zeros(2), 0, 2),
        (lambda x: x - x, 3, 3),
        (lambda x: 0.0 * np.sum(x), 0, 1),
    ],
)
def test_transpose_of_what_nothing_depends_on(f: Any, n: int, rows: int) -> None:
    w = np.ones(np.shape(f(np.ones(n))))
    assert w.size == rows
    np.testing.assert_array_equal(linear_transpose(f, np.ones(n))(w), np.zeros(n))


def test_decisions_on_other_numbers_do_not_hinder_a_transpose() -> None:
    """Those of a derivative inside f, taken at a point that does not depend on x: as inside of other functions."""

    def pushed(v: Array) -> Any:
        return jvp(lambda x: np.sort(x)[::-1] * (x if x[0] > 0 else x**2), X, v)[1]

    w = np.array([1.0, -2.0, 3.0, 0.5])
    order = np.argsort(X)[::-1]
    expected = X[order] * w
    expected[order] += X * w
    np.testing.assert_allclose(linear_transpose(pushed, X)(w), expected, rtol=1e-14)
    with pytest.raises(sparsejac.InputError, match="it decides on values of x"):  # one on x itself still does
        linear_transpose(lambda v: pushed(v) if v[0] > 0.0 else 2.0 * pushed(v), X)


@pytest.mark.parametrize(
    ("v", "message"),
    [
        (np.ones(3), r"v has shape \(3,\), and belongs to an array of shape \(4,\)"),
        (np.ones((3, 4)), r"v has shape \(3, 4\), and belongs to an array of shape \(4,\)"),
        (1.0, r"v has shape \(\)"),
        (np.ones((4, 1, 1)), r"v has shape \(4, 1, 1\)"),
        (1j * np.ones(4), "v holds complex numbers"),
        ("text", "v holds"),
        (None, "v holds"),
    ],
)
def test_bad_tangents(v: Any, message: str) -> None:
    with pytest.raises(sparsejac.SparsejacError, match=f"jvp: {message}"):
        jvp(model, X, v)
    with pytest.raises(sparsejac.SparsejacError, match=f"hvp: {message}"):
        hvp(energy, X, v)
    with pytest.raises(sparsejac.SparsejacError, match=f"Linearization.jvp: {message}"):
        linearize(model, X).jvp(v)


@pytest.mark.parametrize(
    ("product", "title"),
    [
        (lambda x, v: vjp(model, x)[1](v), "vjp: w"),
        (lambda x, v: linear_transpose(np.diff, x)(v), "linear_transpose: w"),
        (lambda x, v: linearize(model, x).vjp(v), "Linearization.vjp: w"),
        (lambda x, v: linearize(model, x).jvp(v), "Linearization.jvp: v"),
        (lambda x, v: linearize(model, x).jtj(v), "Linearization.jtj: v"),
    ],
)
def test_messages_name_the_call_of_the_user(product: Any, title: str) -> None:
    """Where no Linearization is in the user's hands, none is named; inside f as outside."""
    with pytest.raises(sparsejac.InputError, match=rf"^{title} has shape"):
        product(X, np.ones(9))
    with pytest.raises(sparsejac.InputError, match=rf"^{title} has shape"):
        sparsejac.sparse_jacobian(lambda x: product(x, np.ones(9)), X)


def test_bad_cotangents_and_structures() -> None:
    _, pullback = vjp(model, X)
    with pytest.raises(sparsejac.InputError, match=r"w has shape \(6,\), and belongs to an array of shape \(2, 3\)"):
        pullback(np.ones(6))
    f = lambda s: {"a": s["u"], "b": s["p"]}  # noqa: E731
    x = {"u": X, "p": 1.0}
    for v in (X, {"u": X}, {"u": X, "q": 1.0}, (X, 1.0)):
        with pytest.raises(sparsejac.InputTypeError, match=r"v is a .*, and has to be nested like dict\(u: "):
            jvp(f, x, v)
    with pytest.raises(sparsejac.InputError, match=r"v\['u'\] has shape \(3,\)"):
        jvp(f, x, {"u": X[:3], "p": 1.0})
    with pytest.raises(sparsejac.InputError, match="different numbers of tangents"):
        jvp(f, x, {"u": np.ones((4, 2)), "p": np.ones(3)})
    with pytest.raises(sparsejac.InputError, match="loss_hessian has shape"):
        linearize(model, X).jtj(np.ones(4), np.ones(5))
    for several in (X, X[:2], 1.0):  # an array is one argument, also where its numbers are as many as are asked for
        with pytest.raises(sparsejac.InputError, match="argnums"):
            jvp(lambda a, b: a * b, several, several, argnums=(0, 1))


@pytest.mark.parametrize(
    "given", [1j * np.ones(6), np.eye(6) * 1j, lambda a: 1j * a, sp.csr_array(1j * np.eye(6)), "text"]
)
def test_losses_are_real(given: Any) -> None:
    with pytest.raises(sparsejac.InputTypeError, match=r"jtj: .*loss_hessian holds"):
        linearize(model, X).jtj(np.ones(4), given)
    with pytest.raises(sparsejac.InputTypeError, match=r"jtj: .*loss_hessian holds"):
        gauss_newton_operator(model, X, loss_hessian=given) @ np.ones(4)


def test_losses_multiply_arrays_of_their_shape() -> None:
    """As many numbers in another shape are another product."""
    with pytest.raises(sparsejac.InputError, match=r"shape \(2, 6\) for one of shape \(6, 2\)"):
        linearize(model, X).jtj(np.ones((4, 2)), lambda a: a.T)
    with pytest.raises(sparsejac.InputError, match="not an array of numbers"):
        linearize(model, X).jtj(np.ones(4), lambda a: [a[:2], a])
    loss = np.arange(6.0)
    held = linearize(model, X)
    np.testing.assert_array_equal(held.jtj(np.ones(4), memoryview(loss)), held.jtj(np.ones(4), loss))
    operator = gauss_newton_operator(model, X, loss_hessian=loss)
    before = (operator @ np.ones(4)).tolist()
    loss[:] = 0.0
    assert (operator @ np.ones(4)).tolist() == before


def test_masked_numbers_are_no_numbers() -> None:
    masked = np.ma.array(np.ones(4), mask=[True, False, False, False])
    calls = (
        lambda: jvp(model, X, masked),
        lambda: hvp(energy, X, masked),
        lambda: linearize(model, X).jvp(masked),
        lambda: vjp(lambda x: x**2, X)[1](masked),
        lambda: jacobian_operator(model, X).matvec(masked),
    )
    for call in calls:
        with pytest.raises(sparsejac.InputTypeError, match="masked"):
            call()
    np.testing.assert_array_equal(jvp(model, X, np.ma.array(np.ones(4)))[1], jvp(model, X, np.ones(4))[1])


@pytest.mark.parametrize("name", ["gradient", "value_and_gradient", "hessian", "sparse_hessian", "hessian_operator"])
@pytest.mark.parametrize("f", [lambda x: x[:1], lambda x: x, lambda x: (x[0], x)])
def test_only_one_number_has_a_gradient(name: str, f: Any) -> None:
    with pytest.raises(sparsejac.InputError, match=f"{name}: f returned .*a gradient is that of one number"):
        getattr(sparsejac, name)(f, X)


def test_dense_jacobians_go_the_way_of_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = []
    for way in ("push", "pull"):
        original = getattr(Linearization, way)
        monkeypatch.setattr(Linearization, way, lambda *a, way=way, original=original: ways.append(way) or original(*a))
    for call, way in ((jacfwd, "push"), (jacrev, "pull")):
        for f, x in ((energy, X), (lambda x: x * np.ones(3), np.array([2.0]))):  # wide and tall
            np.testing.assert_allclose(
                call(f, x).reshape(-1, len(x)), complex_step(lambda z, f=f: np.atleast_1d(f(z)), x)
            )
            assert set(ways) == {way}
            ways.clear()


@pytest.mark.parametrize(
    "name",
    ["jvp", "vjp", "linearize", "linear_transpose", "gradient", "jacfwd", "jacrev", "hessian", "jacobian_operator"],
)
def test_bad_functions_and_points(name: str) -> None:
    further = (X,) if name == "jvp" else ()
    call = getattr(sparsejac, name)
    with pytest.raises(sparsejac.InputTypeError, match=f"{name}: f is not callable"):
        call(3.0, X, *further)
    with pytest.raises(sparsejac.InputTypeError, match=f"{name}: x holds"):
        call(energy, "text", *further)
    with pytest.raises(sparsejac.InputError, match="backend='fast' is not an option"):
        call(energy, X, *further, backend="fast")
    with pytest.raises(sparsejac.UntraceableError):
        call(lambda x: float(np.array(x.tolist()[0]).astype("U")) * x[0], X, *further)


def test_second_derivatives_of_rules_are_refused() -> None:
    def f(x: Array) -> Any:
        return np.sum(scipy.special.elliprf(x * x, 1.0, 2.0))

    np.testing.assert_allclose(gradient(f, X), differences(lambda z: np.atleast_1d(f(z)), X).jacobian[0], rtol=1e-7)
    for call in (lambda: hvp(f, X, X), lambda: hessian(f, X), lambda: hessian_operator(f, X)):
        with pytest.raises(sparsejac.UntraceableError, match=r"cannot differentiate .*elliprf.* twice"):
            call()


def test_the_same_structure_is_transformed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    pushed = evaluation.pushed
    monkeypatch.setattr(evaluation, "pushed", lambda *a: made.append(a) or pushed(*a))
    evaluation.clear()
    for c in (1.0, 2.0, 3.0):
        assert jvp(lambda x, c=c: c * x[1:] * x[:-1], np.ones(3), np.ones(3))[1].tolist() == [2 * c, 2 * c]
    assert len(made) == 1


def with_aux(x: Array) -> Any:
    return np.sum(x**2), {"double": 2.0 * x, "name": "squares", "count": len(x)}


def test_what_f_returns_beside_its_result() -> None:
    v = np.ones(4)
    found = {
        "jvp": jvp(with_aux, X, v, has_aux=True),
        "vjp": vjp(with_aux, X, has_aux=True),
        "gradient": gradient(with_aux, X, has_aux=True),
        "value_and_gradient": value_and_gradient(with_aux, X, has_aux=True),
        "jacfwd": jacfwd(with_aux, X, has_aux=True),
        "jacrev": jacrev(with_aux, X, has_aux=True),
        "hessian": hessian(with_aux, X, has_aux=True),
    }
    for *_, aux in found.values():
        assert aux["double"].tolist() == (2.0 * X).tolist()
        assert (aux["name"], aux["count"]) == ("squares", 4)
    assert found["jvp"][:2] == (np.sum(X**2), np.sum(2.0 * X))
    assert found["vjp"][1](1.0).tolist() == found["gradient"][0].tolist() == (2.0 * X).tolist()
    assert found["value_and_gradient"][0] == np.sum(X**2)
    assert found["jacfwd"][0].tolist() == found["jacrev"][0].tolist() == (2.0 * X).tolist()
    assert found["hessian"][0].tolist() == (2.0 * np.eye(4)).tolist()
    lin = linearize(with_aux, X, has_aux=True)
    assert lin.aux["double"].tolist() == (2.0 * X).tolist()
    assert linearize(model, X).aux is None
    constant = gradient(lambda x: (x[0] ** 2, "text"), X, has_aux=True)
    assert constant[1] == "text"

    def nested(x: Array) -> Any:
        slope, aux = gradient(with_aux, x, has_aux=True)
        return slope * aux["double"]

    np.testing.assert_allclose(sparsejac.sparse_jacobian(nested, X).toarray(), np.diag(8.0 * X))
    for call, power in ((jacfwd, 2), (jacrev, 2), (hessian, 1)):

        def product(x: Array, call: Any = call) -> Any:
            matrix, aux = call(with_aux, x, has_aux=True)
            return np.ravel(matrix) * aux["double"][0]

        slopes = sparsejac.sparse_jacobian(product, X).toarray()
        expected = complex_step(lambda x, p=power: np.ravel(2.0 * x if p == 2 else 2.0 * np.eye(4)) * 2.0 * x[0], X)
        np.testing.assert_allclose(slopes, expected, rtol=1e-14)
    with pytest.raises(sparsejac.InputTypeError, match="has_aux=True"):
        gradient(energy, X, has_aux=True)
    with pytest.raises(sparsejac.InputTypeError, match="has_aux='yes' is neither"):
        gradient(energy, X, has_aux="yes")  # type: ignore[arg-type]
