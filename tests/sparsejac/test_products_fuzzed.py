"""Random programs: products against the sparse Jacobian, Hessians before they are made symmetric."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sparsejac
from fuzz_programs import draw_program
from sparsejac.errors import UntraceableError
from sparsejac.evaluation.engines import engine_for
from sparsejac.pieces.pieces import in_pieces
from sparsejac.transforms import check_differentiable_again, gradient_of
from traced_functions import trace

Array = NDArray[np.float64]
NUMBERS = range(7000, 7030)


def followed(number: int) -> tuple[Any, Array, Array]:
    """A program, its point, and its Jacobian there."""
    program = draw_program(number)
    f, x = program.function(), program.point()
    try:
        return f, x, sparsejac.sparse_jacobian(f, x.copy(), strategy="identity", backend="numpy").toarray()
    except UntraceableError:
        pytest.skip("refused")


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Random programs overflow, and NumPy says so."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("number", NUMBERS)
def test_products(number: int) -> None:
    f, x, jacobian = followed(number)
    if not np.isfinite(jacobian).all():
        pytest.skip("not finite")
    lin = sparsejac.linearize(f, x.copy(), backend="numpy")
    rng = np.random.default_rng(number)
    v, w = rng.normal(size=(x.size, 2)), rng.normal(size=(len(jacobian), 3))
    scale = 1e-9 * max(1.0, np.abs(jacobian).max(initial=0.0))
    np.testing.assert_allclose(lin.push(v.reshape(-1), 2).reshape(-1, 2), jacobian @ v, rtol=1e-8, atol=scale)
    np.testing.assert_allclose(lin.pull(w.reshape(-1), 3).reshape(-1, 3), jacobian.T @ w, rtol=1e-8, atol=scale)


@pytest.mark.parametrize("number", NUMBERS)
def test_products_inside_f(number: int) -> None:
    """At a point that does not depend on x they are linear in tangents, cotangents and factors."""
    f, x, jacobian = followed(number)
    if not np.isfinite(jacobian).all():
        pytest.skip("not finite")
    rng = np.random.default_rng(number)
    v, w = rng.normal(size=x.shape), rng.normal(size=np.shape(f(x.copy())))
    ones = np.ones(x.size)
    linear: list[tuple[Any, Array, Array]] = [
        (lambda u: sparsejac.jvp(f, x, 2.0 * u)[1], v, 2.0 * jacobian),
        (lambda u: sparsejac.vjp(f, x)[1](u), w, jacobian.T),
        (lambda u: sparsejac.linearize(f, x).jvp(u), v, jacobian),
        (lambda u: sparsejac.jvp(lambda z: f(z) * np.sum(u), x, v)[1], v, np.outer(jacobian @ v.ravel(), ones)),
    ]
    for product, at, expected in linear:
        found = sparsejac.sparse_jacobian(product, at, strategy="identity", backend="numpy").toarray()
        scale = 1e-9 * max(1.0, np.abs(expected).max(initial=0.0))
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=scale)


@pytest.mark.parametrize("number", NUMBERS)
def test_hessians_are_symmetric_of_themselves(number: int) -> None:
    """Entries above and below the diagonal are computed in different ways: a wrong one shows."""
    f, x, _ = followed(number)

    def energy(x: Array) -> Any:
        y = np.reshape(np.asarray(f(x)), -1)
        return np.sum(np.cos(np.arange(y.size)) * y) + 0.5 * np.sum(y * y)

    traced = trace(energy, x.copy())
    try:
        check_differentiable_again(traced.program, "hessian")
    except UntraceableError:
        pytest.skip("a rule of first derivatives")
    template = gradient_of(in_pieces(traced.program), again=True)
    constants = template.constants(traced.constants)
    engine = engine_for(template.program, {"strategy": "identity", "backend": "numpy"}, constants)
    matrix = engine.pattern.to_scipy().astype(np.float64)
    matrix.data = engine.data([x.ravel(), *constants], check=False)
    found = matrix.toarray()
    scale = 1e-10 * max(1.0, np.abs(found[np.isfinite(found)]).max(initial=0.0))
    np.testing.assert_allclose(found, found.T, rtol=1e-9, atol=scale)


@pytest.mark.parametrize("number", NUMBERS[::2])
def test_all_ways_to_a_hessian_agree(number: int) -> None:
    """Elements, half of the terms, and both colorings, against the matrix products of `identity`."""
    f, x, _ = followed(number)

    def energy(x: Array) -> Any:
        y = np.reshape(np.asarray(f(x)), -1)
        return np.sum(np.cos(np.arange(y.size)) * y) + 0.5 * np.sum(y * y)

    try:
        expected = sparsejac.sparse_hessian(energy, x.copy(), strategy="identity", backend="numpy").toarray()
    except UntraceableError:
        pytest.skip("a rule of first derivatives")
    finite = np.isfinite(expected)
    scale = 1e-9 * max(1.0, np.abs(expected[finite]).max(initial=0.0))
    for strategy in ("elements", "elimination", "star", "acyclic"):
        try:
            found = sparsejac.sparse_hessian(energy, x.copy(), strategy=strategy, backend="numpy").toarray()  # type: ignore[arg-type]
        except sparsejac.InputError:
            assert strategy == "elements"
            continue
        np.testing.assert_array_equal(np.isfinite(found), finite)
        np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-7, atol=scale, err_msg=strategy)
        assert not finite.all() or found.tobytes() == found.T.copy().tobytes()
