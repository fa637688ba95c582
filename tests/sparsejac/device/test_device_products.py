"""Products with derivatives on a device: those of the host, from the same Programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sparsejac as sj
from emulated_cupy import counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended

X = np.linspace(0.1, 1.0, 7)
V = np.stack([np.linspace(1.0, 2.0, 7), np.linspace(-1.0, 3.0, 7) ** 2], axis=1)
W = np.linspace(-1.0, 1.0, 12).reshape(6, 2)


def f(x: Any) -> Any:
    """Six results of seven unknowns."""
    return np.exp(x[1:]) * x[:-1]


def g(x: Any) -> Any:
    """One number."""
    return np.sum(np.sin(x[1:]) * x[:-1] ** 2)


def close(cupy: Any, found: Any, expected: Any) -> None:
    """Equal to some units in the last place: the host may run NumPy's elementary functions."""
    assert isinstance(found, cupy.ndarray)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(cupy.asnumpy(found), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("columns", [None, 0, 1, 2])
def test_pushed_and_pulled(cupy: Any, columns: int | None) -> None:
    """jvp, vjp and linearize with one vector, with several, with none."""
    v, w = (V[:, 0], W[:, 0]) if columns is None else (V[:, :columns], W[:, :columns])
    x, there, back = cupy.asarray(X), cupy.asarray(np.ascontiguousarray(v)), cupy.asarray(np.ascontiguousarray(w))
    y, tangent = sj.jvp(f, x, there)
    close(cupy, y, f(X))
    close(cupy, tangent, sj.jvp(f, X, v)[1])
    y, pullback = sj.vjp(f, x)
    close(cupy, y, f(X))
    close(cupy, pullback(back), sj.vjp(f, X)[1](w))
    found, expected = sj.linearize(f, x), sj.linearize(f, X)
    assert found.shape == expected.shape == (6, 7)
    assert found.nbytes == expected.nbytes
    close(cupy, found.value, expected.value)
    close(cupy, found.jvp(there), expected.jvp(v))
    close(cupy, found.vjp(back), expected.vjp(w))
    close(cupy, found.jtj(there), expected.jtj(v))
    value, push = found
    close(cupy, push(there), expected.jvp(v))
    close(cupy, value, f(X))


def test_gradients(cupy: Any) -> None:
    x = cupy.asarray(X)
    close(cupy, sj.gradient(g, x), sj.gradient(g, X))
    y, slope = sj.value_and_gradient(g, x)
    close(cupy, y, g(X))
    close(cupy, slope, sj.gradient(g, X))
    close(cupy, sj.hvp(g, x, cupy.asarray(V)), sj.hvp(g, X, V))
    close(cupy, sj.hvp(g, x, cupy.asarray(V[:, 0].copy())), sj.hvp(g, X, V[:, 0]))


def test_operators(cupy: Any) -> None:
    """Operators of CuPy: products with vectors, with matrices, and with the transpose."""
    x, there, back = cupy.asarray(X), cupy.asarray(V), cupy.asarray(W)
    dense = sj.jacfwd(f, X)
    J = sj.jacobian_operator(f, x)
    assert J.shape == (6, 7)
    close(cupy, J.matvec(there[:, 0].copy()), dense @ V[:, 0])
    close(cupy, J.matmat(there), dense @ V)
    close(cupy, J.rmatvec(back[:, 0].copy()), dense.T @ W[:, 0])
    close(cupy, J.rmatmat(back), dense.T @ W)
    diagonal = np.arange(6.0)
    for loss, matrix in (
        (None, np.eye(6)),
        (cupy.asarray(diagonal), np.diag(diagonal)),
        (lambda a: 2.0 * a, 2.0 * np.eye(6)),
    ):
        N = sj.gauss_newton_operator(f, x, loss_hessian=loss)
        close(cupy, N.matvec(there[:, 0].copy()), dense.T @ matrix @ dense @ V[:, 0])
        close(cupy, N.matmat(there), dense.T @ matrix @ dense @ V)
    close(cupy, sj.hessian_operator(g, x).matmat(there), sj.hessian(g, X) @ V)


@pytest.mark.parametrize("triangle", ["full", "lower", "upper"])
def test_hessians(cupy: Any, triangle: Any) -> None:
    found = sj.sparse_hessian(g, cupy.asarray(X), triangle=triangle)
    expected = sj.sparse_hessian(g, X, triangle=triangle)
    assert found.get().indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(found.get().toarray(), expected.toarray(), rtol=1e-13)


def test_plans_of_gradients(cupy: Any) -> None:
    """The Hessian at many x, resident: the plan of a gradient."""
    plan = sj.prepare(lambda x: sj.gradient(g, x), cupy.asarray(X))
    for scale in (1.0, 2.0):
        slope, H = plan.value_and_jacobian(cupy.asarray(X * scale))
        close(cupy, slope, sj.gradient(g, X * scale))
        np.testing.assert_allclose(H.get().toarray(), sj.sparse_hessian(g, X * scale).toarray(), rtol=1e-13)


def test_products_of_a_linearization_cost_launches(pretended: Any) -> None:
    """Nobody waits, and nothing is copied; the result is the one thing that is allocated."""
    lin, v = sj.linearize(f, pretended.asarray(X)), pretended.asarray(V[:, 0].copy())
    lin.jvp(v)
    counts.reset()
    lin.jvp(v)
    assert (counts.allocations, counts.synchronisations, counts.to_host, counts.to_device) == (1, 0, 0, 0)


def test_structures(cupy: Any) -> None:
    """Tangents and results of several arrays."""

    def flow(state: Any) -> Any:
        return {"mass": np.diff(state["u"]), "force": state["p"] * state["u"][:2]}

    u, p = np.array([1.0, 2.0, 4.0]), np.array([3.0])
    state = {"u": cupy.asarray(u), "p": cupy.asarray(p)}
    y, tangent = sj.jvp(flow, state, state)
    expected = sj.jvp(flow, {"u": u, "p": p}, {"u": u, "p": p})
    for part in ("mass", "force"):
        close(cupy, y[part], expected[0][part])
        close(cupy, tangent[part], expected[1][part])
    back = sj.vjp(flow, state)[1](y)
    close(cupy, back["u"], sj.vjp(flow, {"u": u, "p": p})[1](expected[0])["u"])


def test_what_stays_on_the_host(cupy: Any) -> None:
    """Mixed arguments, and calls that are made on the host only, say so."""
    x, v = cupy.asarray(X), cupy.asarray(V[:, 0].copy())
    with pytest.raises(sj.InputTypeError, match=r"jvp: v is a ndarray on the host(.|\n)*cupy.asarray"):
        sj.jvp(f, x, V[:, 0])
    with pytest.raises(sj.InputTypeError, match=r"x is on the host, and another argument on a device"):
        sj.jvp(f, X, v)
    for call in (sj.hessian, sj.hessian_sparsity, sj.linear_transpose):
        with pytest.raises(sj.InputTypeError, match=rf"{call.__name__}: an argument is on a device(.|\n)*asnumpy"):
            call(g, x)
    with pytest.raises(sj.InputTypeError, match=r"x is on a device(.|\n)*asnumpy"):
        sj.jacfwd(f, x)
    with pytest.raises(sj.InputError, match="backend='numpy', with x on a device"):
        sj.jvp(f, x, v, backend="numpy")
    with pytest.raises(sj.InputError, match="a gradient is that of one number"):
        sj.gradient(f, x)
