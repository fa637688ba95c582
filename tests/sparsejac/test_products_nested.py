"""Derivatives inside functions that are differentiated: tangents and cotangents are part of the outer Program."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse as sp
from scipy import special

import sparsejac
from oracles import complex_step, differences
from sparsejac import (
    gradient,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linear_transpose,
    linearize,
    sparse_hessian,
    sparse_jacobian,
    value_and_gradient,
    vjp,
)

Array = NDArray[np.float64]
X = np.array([0.5, 1.5, -1.0, 2.0])
V = np.array([1.0, -2.0, 0.5, 3.0])
LOSS = np.add.outer(np.arange(6.0), np.arange(6.0)) + np.diag(np.arange(6.0) ** 2)


def energy(x: Array) -> Any:
    return np.sum(np.sin(x[1:]) * x[:-1] ** 2)


def model(x: Array) -> Any:
    return np.stack([np.exp(x[1:]) * x[:-1], x[1:] ** 3])


def gradient_by_hand(x: Array) -> Any:
    result = np.zeros(len(x), dtype=x.dtype)
    result[:-1] += 2.0 * np.sin(x[1:]) * x[:-1]
    result[1:] += np.cos(x[1:]) * x[:-1] ** 2
    return result


HESSIAN = complex_step(gradient_by_hand, X)

SECOND_ORDER = {
    "forward over reverse": lambda: jvp(lambda x: gradient(energy, x), X, np.eye(4))[1],
    "reverse over reverse": lambda: vjp(lambda x: gradient(energy, x), X)[1](np.eye(4)),
    "reverse over forward": lambda: np.stack([gradient(lambda x, e=e: jvp(energy, x, e)[1], X) for e in np.eye(4)]),
    "forward over forward": lambda: jacfwd(lambda x: jacfwd(energy, x), X),
    "reverse over dense reverse": lambda: jacrev(lambda x: jacrev(energy, x), X),
    "sparse over reverse": lambda: sparse_jacobian(lambda x: gradient(energy, x), X).toarray(),
    "products": lambda: np.stack([hvp(energy, X, e) for e in np.eye(4)]),
    "nested products": lambda: jacrev(lambda v: hvp(energy, X, v), X),
    "sparse": lambda: sparse_hessian(energy, X).toarray(),
    "dense": lambda: hessian(energy, X),
    "gradient of a product": lambda: jacfwd(lambda x: vjp(energy, x)[1](1.0), X),
    "linearized": lambda: jacfwd(lambda x: linearize(energy, x).vjp(1.0), X),
    "value and gradient": lambda: jacfwd(lambda x: value_and_gradient(energy, x)[1], X),
}


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_all_ways_to_a_hessian_agree(name: str) -> None:
    np.testing.assert_allclose(SECOND_ORDER[name](), HESSIAN, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: hessian(energy, x),
        lambda x: hvp(energy, x, V),
        lambda x: hvp(energy, V, x),
        lambda x: jacfwd(model, x),
        lambda x: jacrev(model, x),
        lambda x: linearize(model, x).jtj(V),
        lambda x: linearize(model, x).jtj(x),
        lambda x: linearize(model, x).jtj(x, np.arange(6.0)),
        lambda x: linearize(model, x).jtj(np.outer(x, x[:2]), LOSS),
        lambda x: linearize(model, x).jtj(V, sp.csr_array(LOSS)),
        lambda x: linearize(model, x).jtj(V, lambda a: a * x[0]),
        lambda x: linear_transpose(lambda v: np.outer(x, v)[:, 1:], V)(np.ones((4, 3))),
        lambda x: linear_transpose(lambda v: x * np.cumsum(v), V)(np.outer(x, x[:2])),
        lambda x: linear_transpose(lambda v: jvp(model, x, v)[1], x)(np.ones((2, 3))),
        lambda x: linear_transpose(linear_transpose(lambda v: x * np.cumsum(v), V), V)(x**2),
        lambda x: linear_transpose(lambda s, v: x * s["a"] + v, {"a": V}, 0.0 * V, argnums=0)(x)["a"],
        lambda x: vjp(model, x)[1](np.ones((2, 3, 2))),
        lambda x: jvp(model, x, np.ones((4, 2)))[1],
        lambda x: jvp(model, V, x)[1],
        lambda x: jvp(lambda z: gradient(energy, z), x, V)[1],
        lambda x: hessian(lambda z: np.sum(gradient(energy, z) ** 2), x)[0],
    ],
)
def test_derivatives_of_derivatives(f: Any) -> None:
    """Against differences of the values, which other tests compare with oracles."""
    estimate = differences(lambda x: np.ravel(f(x)), X)
    found = sparse_jacobian(f, X).toarray()
    assert (np.abs(found - estimate.jacobian) <= 50 * estimate.error + 1e-8 * (1 + np.abs(estimate.jacobian))).all()


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda x, v: x * v**2, "its derivative depends on x"),
        (lambda x, v: np.where(v > 0.0, x * v, v), "its derivative depends on x"),
        (lambda x, v: x + v, r"f\(0\) is not 0"),
        (lambda x, v: x * v if v[0] >= 0.0 else v, "it decides on values of x"),
        (lambda x, v: x * v if np.any(v > 1.0) else v, "it decides on values of x"),
        (lambda x, v: x * np.sign(v), "it jumps"),
        (lambda x, v: v + np.floor(x * v), "it jumps"),
        (lambda x, v: np.fmod(v, 1.0 + x**2), "it jumps"),
    ],
)
def test_what_is_not_linear_is_not_transposed_inside(f: Any, why: str) -> None:
    with pytest.raises(sparsejac.InputError, match=f"linear_transpose: f is not linear: {why}"):
        sparse_jacobian(lambda x: linear_transpose(lambda v: f(x, v), V)(x), X)


def test_linearity_inside_is_asked_at_each_point() -> None:
    """What decides on x alone does not make f nonlinear; what makes it affine elsewhere is seen there."""

    def f(x: Any) -> Any:
        return linear_transpose(lambda v: (x * v if x[0] > 0 else 3.0 * v) + np.maximum(x - 5.0, 0.0), V)(x)

    plan = sparsejac.prepare(f, X)
    np.testing.assert_allclose(plan(X).toarray(), np.diag(2.0 * X))
    np.testing.assert_allclose(plan(-X).toarray(), 3.0 * np.eye(4))
    with pytest.raises(sparsejac.InputError, match=r"f\(0\) is not 0"):
        plan(X + 4.0)


class Pair(NamedTuple):
    a: Any
    b: Any


def test_stored_derivatives_are_applied_inside() -> None:
    """A linearization made outside is a linear function like any other."""
    lin = linearize(model, X)
    J = jacfwd(model, X).reshape(6, 4)
    np.testing.assert_allclose(sparse_jacobian(lin.jvp, V).toarray(), J, rtol=1e-15)
    np.testing.assert_allclose(jacrev(vjp(model, X)[1], np.ones((2, 3))).reshape(4, 6), J.T, rtol=1e-15)
    np.testing.assert_allclose(linear_transpose(lin.jvp, V)(np.ones((2, 3))), J.sum(axis=0), rtol=1e-14)
    W = np.arange(8.0).reshape(4, 2)
    several = sparse_jacobian(lambda x: lin.jvp(np.stack([x, x**2], axis=1)), X).toarray()
    expected = np.stack([J, J * (2.0 * X)], axis=1).reshape(12, 4)
    np.testing.assert_allclose(several, expected, rtol=1e-14)
    np.testing.assert_allclose(jacfwd(lambda x: lin.jtj(x, LOSS), X), J.T @ LOSS @ J, rtol=1e-13)
    np.testing.assert_allclose(jacfwd(lin.jtj, X), J.T @ J, rtol=1e-13)
    of_sparse = jacfwd(lambda x: lin.jtj(x, sp.coo_array(np.diag(LOSS))), X)  # a diagonal as a sparse vector
    np.testing.assert_allclose(of_sparse, J.T @ np.diag(np.diag(LOSS)) @ J, rtol=1e-13)
    np.testing.assert_allclose(hessian(lambda x: 0.5 * np.sum(lin.jvp(x) ** 2), X), J.T @ J, rtol=1e-13)
    assert sparse_jacobian(lambda x: lin.jvp(np.outer(x, np.zeros(0))), X).shape == (0, 4)
    np.testing.assert_allclose(lin.jvp(W), (J @ W).reshape(2, 3, 2), rtol=1e-14)

    def parts(s: Any) -> Any:
        return Pair(s["u"] * s["p"], s["p"] ** 2)

    point = {"u": X, "p": 2.0}
    inside = sparse_jacobian(lambda x: linearize(parts, point).vjp(Pair(x, x[0]))["p"], X).toarray()
    np.testing.assert_allclose(inside, [X + 4.0 * np.eye(4)[0]], rtol=1e-15)
    stored = linearize(parts, point)
    inside = sparse_jacobian(lambda x: stored.vjp(Pair(x, x[0]))["p"], X).toarray()
    np.testing.assert_allclose(inside, [X + 4.0 * np.eye(4)[0]], rtol=1e-15)
    with pytest.raises(sparsejac.InputError, match=r"Linearization.jvp: v has shape \(3,\)"):
        sparse_jacobian(lambda x: lin.jvp(x[:3]), X)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda x: sparse_hessian(energy, x) @ x, "sparsejac.sparse_hessian: it is called inside f"),
        (lambda x: sparsejac.hessian_operator(energy, x) @ x, "sparsejac.hessian_operator: it is called inside f"),
        (lambda x: sparsejac.prepare_nlp(energy, model, x).gradient(x), "sparsejac.prepare_nlp"),
        (lambda x: sparsejac.value_and_jacobian(model, x)[1] @ x, "sparsejac.value_and_jacobian"),
        (lambda x: sparse_hessian(lambda z: np.sum(x * z**2), V) @ x, "a value of another trace"),
    ],
)
def test_calls_that_are_not_followed_are_named(call: Any, named: str) -> None:
    """With what is followed in their place."""
    with pytest.raises(sparsejac.UntraceableError, match=rf"cannot follow {named}") as caught:
        sparse_jacobian(call, X)
    assert "gradient, hvp, jacfwd, jacrev" in str(caught.value)


def test_what_is_not_an_argument_is_held_fixed() -> None:
    """No confusion of perturbations: x inside the inner function is a constant of it, but not of the outer one."""
    assert gradient(lambda x: x * gradient(lambda y: x + y, 1.0), 1.0) == 1.0
    assert gradient(lambda x: x * gradient(lambda y: x * y, 2.0), 3.0) == 6.0

    def f(x: Array) -> Any:
        copied = x.copy()
        return gradient(lambda z: np.sum(z**2 * copied * x), x.copy())

    np.testing.assert_allclose(sparse_jacobian(f, X).toarray(), np.diag(6.0 * X**2))


def test_constant_points_inside() -> None:
    def f(x: Array) -> Any:
        return gradient(lambda z: np.sum(z**2 * x), np.array([1.0, 2.0, 3.0, 4.0]))

    assert sparse_jacobian(f, X).toarray().tolist() == np.diag([2.0, 4.0, 6.0, 8.0]).tolist()
    unrelated = sparse_jacobian(lambda x: x * gradient(lambda z: z**3, 2.0), X)
    assert unrelated.toarray().tolist() == (12.0 * np.eye(4)).tolist()


def test_structures_and_positions_inside() -> None:
    def inner(t: Any, s: Any) -> Any:
        return {"a": t * s["u"] ** 2, "b": np.sum(s["u"])}

    def f(x: Array) -> Any:
        y, pullback = vjp(inner, x[0], {"u": x[1:]}, argnums=(0, 1))
        by_t, by_s = pullback({"a": np.ones(3), "b": 2.0})
        tangent = jvp(inner, {"u": x[1:]}, {"u": V[1:]}, x[0], argnums=1)[1]
        return np.concatenate([np.reshape(by_t, 1), by_s["u"], y["a"], tangent["a"], np.reshape(tangent["b"], 1)])

    def by_hand(x: Any) -> Any:
        u, t = x[1:], x[0]
        return np.concatenate([[np.sum(u**2)], 2 * t * u + 2.0, t * u**2, 2 * t * u * V[1:], [np.sum(V[1:])]])

    np.testing.assert_allclose(sparsejac.value_and_jacobian(f, X)[0], by_hand(X))
    np.testing.assert_allclose(sparse_jacobian(f, X).toarray(), complex_step(by_hand, X), atol=1e-13)


def test_scalars_and_branches_inside() -> None:
    def f(x: Array) -> Any:
        slope = gradient(lambda t: t**3 if t > 0 else t**2, x[0])
        return slope * x[1:]

    for first in (2.0, -2.0):
        x = np.array([first, 1.0, 5.0])
        second = 6.0 * first if first > 0 else 2.0
        expected = np.column_stack([second * x[1:], (3 * first**2 if first > 0 else 2 * first) * np.eye(2)])
        np.testing.assert_allclose(sparse_jacobian(f, x).toarray(), expected)


def test_a_plan_of_a_nested_derivative() -> None:
    plan = sparsejac.prepare(lambda x: gradient(energy, x), X)
    for x in (X, V):
        np.testing.assert_allclose(plan(x).toarray(), complex_step(gradient_by_hand, x), rtol=1e-12, atol=1e-13)


def test_newton_steps_inside() -> None:
    """The derivative of a root by unrolled Newton steps with derivatives taken inside."""

    def root(p: Any) -> Any:
        t = 1.5
        for _ in range(6):
            value, slope = value_and_gradient(lambda z: z**3 - p, t)
            t = t - value / slope
        return t

    assert gradient(root, 8.0) == pytest.approx(1.0 / 12.0, rel=1e-10)


def in_place(x: Any) -> Any:
    """Slices that overlap are written one after the other."""
    y = 3.0 * x
    y[1:] -= x[:-1] ** 2
    y[:-1] += np.sin(x[1:])
    return y


def written(x: Any) -> Any:
    y = np.ones(4)
    y[...] = x
    y[1:] = x[:-1] * x[1:]
    y[::2] *= 3.0
    y[2] = x[0] * y[3]
    return y


def by_a_library(x: Any) -> Any:
    return special.jv(1, x) * x + special.ndtr(x)


def in_single_precision(x: Any) -> Any:
    return np.stack([x.astype(np.float32)[1:] * x[:-1], 2.0 * x[:-1].astype(np.float32).astype(np.float64)])


def scalar_by_scalar(x: Any) -> Any:
    y = [v * v for v in x]
    y[1] += y[0] * special.erfcx(x[2])
    return np.array([y[1], y[0], y[3] * y[2]])


@pytest.mark.parametrize("f", [in_place, written, by_a_library, in_single_precision, scalar_by_scalar])
def test_the_outer_x_need_not_move_the_inner_one(f: Any) -> None:
    """At an argument that is not differentiated, and at a constant: all that f does to its x is still followed."""
    J = sparse_jacobian(f, X).toarray()
    w = np.linspace(-1.0, 2.0, len(J))
    back = lambda y: np.reshape(y, np.shape(f(X)))  # noqa: E731
    for arguments in ((X, V), (V,)):
        first = (lambda given: given[0]) if len(arguments) == 2 else (lambda given: X)
        pushed = lambda *given: jvp(f, first(given), given[-1])[1].ravel()  # noqa: B023, E731
        pulled = lambda *given: vjp(f, first(given))[1](back(given[-1]))  # noqa: B023, E731
        dense = lambda *given: jacfwd(f, first(given)).reshape(J.shape) @ given[-1]  # noqa: B023, E731
        for g, vector, matrix in ((pushed, V, J), (pulled, w, J.T), (dense, V, J)):
            value, found = sparsejac.value_and_jacobian(g, *arguments[:-1], vector, argnums=len(arguments) - 1)
            np.testing.assert_allclose(value, matrix @ vector, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(found.toarray(), matrix, rtol=1e-12, atol=1e-14)


def test_what_is_refused_for_x_is_refused_for_the_inner_one() -> None:
    """Integers would cut a derivative, wherever it is taken."""
    for f in (lambda x: x.astype(int) * x, lambda x: special.gammainc(x, 2.0)):
        with pytest.raises(sparsejac.UntraceableError):
            sparse_jacobian(f, X)
        with pytest.raises(sparsejac.UntraceableError):
            sparse_jacobian(lambda v: jvp(f, X, v)[1], V)  # noqa: B023


def model_jacobian(x: Array) -> Any:
    """By hand."""
    J = np.zeros((6, 4), dtype=x.dtype)
    for k in range(3):
        J[k, k], J[k, k + 1], J[k + 3, k + 1] = np.exp(x[k + 1]), np.exp(x[k + 1]) * x[k], 3.0 * x[k + 1] ** 2
    return J


def weights(x: Array) -> Any:
    return np.concatenate([x**2, x[:2] * x[2:]])


LOSSES: dict[str, Any] = {
    "diagonal": weights,
    "list": lambda x: list(weights(x)),
    "matrix": lambda x: np.diag(weights(x)),
    "sparse matrix": lambda x: sp.diags_array(weights(x)),
    "function": lambda x: lambda a: (weights(x) * a.T).T,
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_may_depend_on_the_unknowns(name: str) -> None:
    """The weights of a robust loss, say: their derivative is a part of that of the product."""
    loss, stored = LOSSES[name], linearize(model, X)
    J, two = model_jacobian(X), np.stack([V, -2.0 * V], axis=1)
    by_hand = complex_step(lambda x: model_jacobian(x).T @ (weights(x) * (model_jacobian(x) @ V)), X)
    at_rest = complex_step(lambda x: J.T @ (weights(x) * (J @ V)), X)
    both = complex_step(lambda x: J.T @ (weights(x) * (J @ x)), X)
    for f, expected in (
        (lambda x: linearize(model, x).jtj(V, loss(x)), by_hand),
        (lambda x: linearize(model, x).jtj(two, loss(x))[:, 1], -2.0 * by_hand),
        (lambda x: stored.jtj(V, loss(x)), at_rest),
        (lambda x: stored.jtj(two, loss(x))[:, 1], -2.0 * at_rest),
        (lambda x: stored.jtj(x, loss(x)), both),
    ):
        value, found = sparsejac.value_and_jacobian(f, X)
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-12, atol=1e-12)
        assert value.shape == (4,)


def test_errors_inside() -> None:
    with pytest.raises(sparsejac.InputError, match=r"jvp: v has shape \(3,\)"):
        sparse_jacobian(lambda x: jvp(energy, x, V[:3])[1], X)
    with pytest.raises(sparsejac.InputError, match="gradient: f returned"):
        sparse_jacobian(lambda x: gradient(model, x), X)
    first = lambda z: np.sum(special.elliprf(z * z, 1.0, 2.0))  # noqa: E731
    for f in (
        lambda x: gradient(first, x),
        lambda x: x * np.sum(hessian(first, X)),
        lambda x: x * jacfwd(lambda z: jvp(first, z, V)[1], X)[0],
        lambda x: x * np.sum(hvp(first, X, V)),
    ):
        with pytest.raises(sparsejac.UntraceableError, match=r"cannot differentiate .* twice"):
            sparse_jacobian(f, X)
    once = sparse_jacobian(lambda x: x * gradient(lambda z: np.sum(np.linalg.inv(np.diag(z))), X), X)
    np.testing.assert_allclose(once.toarray(), np.diag(-1.0 / X**2))
    with pytest.raises(sparsejac.InputError, match=r"loss_hessian has shape \(5,\)"):
        sparse_jacobian(lambda x: linearize(model, x).jtj(V, np.ones(5)), X)
    with pytest.raises(sparsejac.InputError, match=r"gave an array of shape \(2, 6\) for one of shape \(6, 2\)"):
        sparse_jacobian(lambda x: linearize(model, x).jtj(np.ones((4, 2)), lambda a: a.T), X)
    with pytest.raises(sparsejac.UntraceableError, match="complex"):
        sparse_jacobian(lambda x: gradient(energy, x * 1j), X)


def test_numbers_that_a_product_gives_are_no_arrays() -> None:
    """What ``+=`` does to a name leaves other names of a number alone, as outside of a traced function."""

    def f(x: Array) -> Any:
        slope = gradient(lambda t: t**3, x[0])
        value, tangent = jvp(lambda t: t**2, x[1], 1.0)
        numbers = []
        for first in (slope, value, tangent):
            second = first
            second += x[0]
            numbers += [first, second]
        return np.stack(numbers)

    x = np.array([0.5, 2.0])
    a, b = x
    np.testing.assert_allclose(f(x), [3 * a**2, 3 * a**2 + a, b**2, b**2 + a, 2 * b, 2 * b + a])
    expected = [[6 * a, 0], [6 * a + 1, 0], [0, 2 * b], [1, 2 * b], [0, 2], [1, 2]]
    np.testing.assert_allclose(sparse_jacobian(f, x).toarray(), expected)


def test_functions_inside_others_leave_nothing_behind() -> None:
    """A gradient at numbers asks for first derivatives only, also after deeper ones and failed ones."""
    first = lambda z: np.sum(special.elliprf(z * z, 1.0, 2.0))  # noqa: E731
    at_numbers = lambda x: x * np.sum(gradient(first, X))  # noqa: E731
    expected = np.sum(differences(lambda z: np.atleast_1d(first(z)), X).jacobian) * np.eye(4)

    def fails(z: Array) -> Any:
        raise RuntimeError("inside")

    sparse_jacobian(lambda x: x * gradient(lambda z: np.sum(gradient(energy, z)), x), X)
    np.testing.assert_allclose(sparse_jacobian(at_numbers, X).toarray(), expected, rtol=1e-6)
    with pytest.raises(RuntimeError, match="inside"):
        sparse_jacobian(lambda x: gradient(lambda z: np.sum(gradient(fails, z)), x), X)
    np.testing.assert_allclose(sparse_jacobian(at_numbers, X).toarray(), expected, rtol=1e-6)
