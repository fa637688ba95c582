"""Callbacks of nonlinear programs on a device: those of the host, staying there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sparsejac as sj
from emulated_cupy import counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended
from oracles import complex_step

X = np.linspace(0.2, 1.1, 6)
A = np.linspace(1.0, 2.0, 5)
LAM = np.linspace(-1.0, 3.0, 5)


def f(x: Any, a: Any) -> Any:
    return np.sum((x[1:] - x[:-1] ** 2) ** 2) * a[0] + np.exp(x[0])


def g(x: Any, a: Any) -> Any:
    return x[1:] * x[:-1] + np.sin(x[:-1]) * a


def dense(rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Any:
    found = np.zeros(shape)
    np.add.at(found, (rows.get(), columns.get()), values.get())
    return found


def test_values_and_structures(cupy: Any) -> None:
    """Against complex steps; where x is new, and where it is known."""
    nlp = sj.prepare_nlp(f, g, cupy.asarray(X), cupy.asarray(A))
    assert nlp.shape == (5, 6)
    assert repr(nlp) == "<NLP: 6 unknowns, 5 constraints, 10 nonzeros, on device 0>"
    assert nlp.device == 0
    for point in (X, 1.5 * X, X):
        x = cupy.asarray(point)
        slope, J = complex_step(lambda z: f(z, A), point)[0], complex_step(lambda z: g(z, A), point)
        objective = nlp.objective(x)
        assert objective.shape == ()
        np.testing.assert_allclose(float(objective), f(point, A), rtol=1e-14)
        np.testing.assert_allclose(nlp.gradient(x).get(), slope, rtol=1e-12)
        np.testing.assert_allclose(nlp.constraints(x).get(), g(point, A), rtol=1e-14)
        found = dense(*nlp.jacobianstructure(), nlp.jacobian(x), nlp.shape)
        np.testing.assert_allclose(found, J, rtol=1e-13)
        np.testing.assert_allclose(nlp.jacobian_matrix(x).get().toarray(), J, rtol=1e-13)
        for factor in (0.5, cupy.asarray(np.float64(0.5))):
            values = nlp.hessian(x, cupy.asarray(LAM), factor)
            lower = dense(*nlp.hessianstructure(), values, (6, 6))
            H = complex_step(lambda z: sj_gradient(z), point)
            np.testing.assert_allclose(lower, np.tril(H), rtol=1e-12, atol=1e-14)
        whole = nlp.hessian_matrix(x, cupy.asarray(LAM), 0.5).get().toarray()
        np.testing.assert_array_equal(whole, whole.T)
        np.testing.assert_array_equal(np.tril(whole), lower)
    assert "elimination" in str(nlp.explain_hessian())


def sj_gradient(z: Any) -> Any:
    """The gradient of the Lagrangian, by hand."""
    inner = z[1:] - z[:-1] ** 2
    found = 0.0 * z
    found[1:] += 0.5 * 2.0 * inner * A[0] + LAM * z[:-1]
    found[:-1] += -0.5 * 4.0 * inner * z[:-1] * A[0] + LAM * (z[1:] + np.cos(z[:-1]) * A)
    found[0] += 0.5 * np.exp(z[0])
    return found


def test_one_word_a_call(pretended: Any) -> None:
    """Whether x is known; structures go there once, and are the same arrays each time."""
    x, lam = pretended.asarray(X), pretended.asarray(LAM)
    nlp = sj.prepare_nlp(f, g, x, pretended.asarray(A), strategy="elimination", hessian_strategy="star")
    structures = nlp.jacobianstructure(), nlp.hessianstructure()
    calls = [
        lambda: nlp.objective(x),
        lambda: nlp.gradient(x),
        lambda: nlp.constraints(x),
        lambda: nlp.jacobian(x),
        lambda: nlp.jacobian_matrix(x),
        lambda: nlp.hessian(x, lam, 2.0),
        lambda: nlp.hessian_matrix(x, lam),
    ]
    for call in calls:
        call()
    x += 0.25
    counts.reset()
    for call in calls:
        call()
    assert counts.to_device == counts.compilations == 0
    # Whether x is known, by four of them: the gradient behind the objective has to be computed anyway. And twice
    # whether what was computed by colors is finite.
    assert counts.to_host == 6
    assert nlp.jacobianstructure() is structures[0]
    assert nlp.hessianstructure() is structures[1]
    np.testing.assert_allclose(nlp.gradient(x).get(), complex_step(lambda z: f(z, A), X + 0.25)[0], rtol=1e-12)


def test_work_is_shared(pretended: Any) -> None:
    """At a known x nothing is launched but what compares and copies; results are the caller's."""
    x = pretended.asarray(X)
    nlp = sj.prepare_nlp(f, g, x, pretended.asarray(A))
    first = nlp.gradient(x)
    evaluated = nlp._last
    first.fill(0.0)
    nlp.jacobian(x).fill(0.0)
    nlp.constraints(x).fill(0.0)
    nlp.objective(x).fill(0.0)
    assert nlp._last is evaluated
    np.testing.assert_allclose(nlp.gradient(x).get(), complex_step(lambda z: f(z, A), X)[0], rtol=1e-12)
    np.testing.assert_allclose(float(nlp.objective(x)), f(X, A), rtol=1e-14)
    x[0] = -0.0
    assert float(nlp.objective(x)) == f(x.get(), A)
    with pretended.cuda.Stream():
        nlp.gradient(x)
    assert nlp._last is not evaluated


def test_another_way_has_another_structure(cupy: Any) -> None:
    nlp = sj.prepare_nlp(lambda x: np.sum(x**2), lambda x: x[:2] * x[2] if x[0] > 0.0 else x[:2], cupy.asarray(X))
    with pytest.raises(sj.InputError, match=r"NLP: f or g took another way(.|\n)*np.where"):
        nlp.jacobian(cupy.asarray(-X))
    np.testing.assert_allclose(nlp.constraints(cupy.asarray(-X)).get(), -X[:2])


def test_no_constraints(cupy: Any) -> None:
    x = cupy.asarray(X)
    nlp = sj.prepare_nlp(lambda x: np.sum(x**3), lambda x: np.zeros(0), x)
    assert nlp.shape == (0, 6)
    assert nlp.constraints(x).shape == nlp.jacobian(x).shape == (0,)
    np.testing.assert_allclose(nlp.gradient(x).get(), 3.0 * X**2, rtol=1e-14)
    np.testing.assert_allclose(nlp.hessian(x, cupy.zeros(0), 2.0).get(), 12.0 * X, rtol=1e-14)


def test_what_is_refused(cupy: Any) -> None:
    x, a = cupy.asarray(X), cupy.asarray(A)
    nlp = sj.prepare_nlp(f, g, x, a)
    with pytest.raises(sj.InputTypeError, match=r"NLP: x is a ndarray on the host(.|\n)*cupy.asarray"):
        nlp.objective(X)
    with pytest.raises(sj.InputTypeError, match=r"NLP.hessian: lagrange is a list on the host"):
        nlp.hessian(x, [1.0] * 5)
    with pytest.raises(sj.InputError, match=r"lagrange has 2 multipliers for 5 constraints"):
        nlp.hessian(x, a[:2])
    with pytest.raises(sj.InputError, match=r"NLP: x has shape \(5,\)(.|\n)*shape \(6,\)"):
        nlp.jacobian(a)
    with pytest.raises(sj.InputError, match=r"prepare_nlp: backend='numpy', with x on a device"):
        sj.prepare_nlp(f, g, x, a, backend="numpy")
    with pytest.raises(sj.InputTypeError, match=r"prepare_nlp: argument 3 is a NumPy array on the host"):
        sj.prepare_nlp(f, g, x, A)
    with pytest.raises(sj.InputError, match=r"an objective is one number"):
        sj.prepare_nlp(g, f, x, a)
