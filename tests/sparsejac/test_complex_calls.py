"""Complex forms of ufuncs, and other rules that stand alone: values as NumPy has them, slopes by differences."""

from __future__ import annotations

import fractions
from typing import Any

import numpy as np
import pytest
import scipy.special

import sparsejac
from oracles import Array, differences

NAMES = (
    "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "log2", "log10", "log1p", "expm1", "exp2",
)  # fmt: skip
POINTS = {
    "inside": np.array([0.3, -0.4, 0.2, -0.1, 0.25, 0.6]),
    "above the cut": np.array([2.5, -3.0, -1.7, 0.0, 0.0, 0.0]),
    "below the cut": np.array([2.5, -3.0, -1.7, -0.0, -0.0, -0.0]),
}


def parts(ufunc: Any) -> Any:
    """A function of real and imaginary parts that gives both parts."""

    def f(x: Array) -> Any:
        y = ufunc(x[:3] + 1j * x[3:])
        return np.concatenate([y.real, y.imag])

    return f


@pytest.mark.parametrize("name", NAMES)
def test_complex_form(name: str) -> None:
    """Value and the whole real Jacobian, which must satisfy the equations of Cauchy and Riemann."""
    f = parts(getattr(np, name))
    x = POINTS["inside"]
    value, jacobian = sparsejac.value_and_jacobian(f, x)
    np.testing.assert_allclose(value, f(x), rtol=1e-14)
    dense = jacobian.toarray()
    np.testing.assert_allclose(dense, differences(f, x).jacobian, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(dense[:3, :3], dense[3:, 3:], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(dense[3:, :3], -dense[:3, 3:], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("side", ["above the cut", "below the cut"])
@pytest.mark.parametrize("name", NAMES)
def test_slope_on_a_cut_is_that_of_the_side(name: str, side: str) -> None:
    """Along the cut the function is smooth; the sign of a zero says on which side NumPy is."""
    x = POINTS[side]

    def f(real: Array) -> Any:
        y = getattr(np, name)(real + 1j * x[3:])
        return np.concatenate([y.real, y.imag])

    with np.errstate(all="ignore"):
        estimate = differences(f, x[:3])
        found = sparsejac.sparse_jacobian(f, x[:3]).toarray()
    np.testing.assert_allclose(found, estimate.jacobian, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("z", [1.0 + 0.0j, 4.0 - 0.0j, 0.0 + 1.0j, -0.0 - 2.0j, -3.0 + 0.0j, -3.0 - 0.0j])
def test_root_on_the_axes(z: complex) -> None:
    """Where one part is zero the root is as smooth as elsewhere; on the cut it is that of one side."""
    x = np.array([z.real, z.imag])

    def root(x: Array) -> Any:
        y = np.sqrt(x[:1] + 1j * x[1:])
        return np.concatenate([y.real, y.imag])

    value, jacobian = sparsejac.value_and_jacobian(root, x)
    np.testing.assert_allclose(value, [np.sqrt(z).real, np.sqrt(z).imag], rtol=4e-16)
    slope = 0.5 / np.sqrt(z)
    expected = [[slope.real, -slope.imag], [slope.imag, slope.real]]
    np.testing.assert_allclose(jacobian.toarray(), expected, rtol=1e-15, atol=1e-16)


def test_root_of_zero() -> None:
    root = lambda x: np.sqrt(x[0] + 1j * x[1]).imag  # noqa: E731
    value, jacobian = sparsejac.value_and_jacobian(root, np.zeros(2))
    assert value == 0.0
    assert np.isnan(jacobian.toarray()).all()


def test_ufunc_without_complex_form_is_refused() -> None:
    """NumPy has no complex arctan2; np.sign of complex numbers is not followed."""
    with pytest.raises(sparsejac.UntraceableError, match=r"np\.sign of complex values"):
        sparsejac.sparse_jacobian(lambda x: np.sign(x * 1j).real, np.ones(3))


@pytest.mark.parametrize("x", [np.zeros(0), np.array([0.7]), np.array([[0.3, -2.0, 9.0], [0.0, 4.0, -7.0]])])
def test_i0(x: Array) -> None:
    """All shapes; even, so that the slope at 0 is 0."""
    found = sparsejac.sparse_jacobian(np.i0, x).toarray()
    np.testing.assert_allclose(found, differences(np.i0, x).jacobian, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "coefficients",
    [
        lambda x: x,
        lambda x: np.concatenate([[0.0, 0.0], x, [0.0]]),
        lambda x: [x[0], x[1]],
        lambda x: x[:1],
    ],
)
def test_roots(coefficients: Any) -> None:
    """Real and complex roots, in NumPy's order, with zeros at both ends of the coefficients."""
    x = np.array([1.5, -2.0, 3.0, 0.7])

    def f(x: Array) -> Any:
        roots = np.roots(coefficients(x))
        return np.concatenate([np.real(roots), np.imag(roots)])

    value, jacobian = sparsejac.value_and_jacobian(f, x)
    np.testing.assert_allclose(value, f(x), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, x).jacobian, rtol=1e-6, atol=1e-8)


def test_leading_zero_of_roots_is_a_decision() -> None:
    """Where the degree falls, a plan follows f again."""
    plan = sparsejac.prepare(lambda x: np.real(np.roots(x)), np.array([1.0, -3.0, 2.0]))
    assert plan(np.array([1.0, -3.0, 2.0])).shape == (2, 3)
    assert plan(np.array([0.0, -3.0, 2.0])).shape == (1, 3)


def test_asarray_chkfinite() -> None:
    """It raises as NumPy does, and an f that catches the error goes the other way."""

    def f(x: Array) -> Any:
        try:
            return np.asarray_chkfinite(1.0 / x) ** 2
        except ValueError:
            return x * 2.0

    with np.errstate(divide="ignore"):
        plan = sparsejac.prepare(f, np.array([1.0, 2.0, 4.0]))
        np.testing.assert_allclose(plan(np.array([1.0, 2.0, 4.0])).diagonal(), [-2.0, -0.25, -2.0 / 64.0])
        assert plan(np.array([0.0, 2.0, 4.0])).diagonal().tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("requirements", [None, "C", "F", ["C", "W"], ["F", "O"]])
def test_require(requirements: Any) -> None:
    """Whatever the memory is to be, the result can be written to."""
    x = np.arange(6.0) + 0.5

    def f(x: Array) -> Any:
        y = np.require(x.reshape(2, 3) ** 2, requirements=requirements)
        y[0, 1] *= 3.0
        return y

    value, jacobian = sparsejac.value_and_jacobian(f, x)
    np.testing.assert_array_equal(value, f(x.copy()))
    np.testing.assert_allclose(jacobian.toarray(), np.diag(2.0 * x * [1, 3, 1, 1, 1, 1]))


def library_message(f: Any) -> str:
    """What a refusal says."""
    with pytest.raises(sparsejac.UntraceableError) as caught:
        sparsejac.sparse_jacobian(f, np.array([1.5, 0.5, 2.5]))
    return str(caught.value)


def test_refusals_name_library_functions() -> None:
    """Functions in Python by module and name, compiled ones as they are written, methods by their class."""
    generator = np.random.default_rng(0)
    assert "cannot follow fractions.Fraction:" in library_message(lambda x: fractions.Fraction(x[0]))
    assert "cannot follow generator.normal:" in library_message(lambda x: generator.normal(x))
    assert "cannot follow np.random.normal:" in library_message(lambda x: np.random.normal(x))
    assert "mean + sigma * noise" in library_message(lambda x: np.random.normal(x))


def test_boxcox_by_the_exponent_at_zero() -> None:
    """-1 / p has the derivative 1 / p**2, though the logarithm of 0 is infinite."""
    f = lambda p: scipy.special.boxcox(np.array([0.0, 0.5, 2.0]), p)  # noqa: E731
    p = np.array([0.4, 0.7, 1.5])
    np.testing.assert_allclose(sparsejac.sparse_jacobian(f, p).toarray(), differences(f, p).jacobian, rtol=1e-7)
    g = lambda p: scipy.special.boxcox1p(np.array([-1.0, 0.5, 2.0]), p)  # noqa: E731
    np.testing.assert_allclose(sparsejac.sparse_jacobian(g, p).toarray(), differences(g, p).jacobian, rtol=1e-7)


@pytest.mark.parametrize("function", [np.std, np.nanstd])
def test_standard_deviation_of_equal_numbers(function: Any) -> None:
    """A kink, as that of a norm at 0: the middle of the slopes, and right beside it."""
    assert sparsejac.sparse_jacobian(function, np.full(3, 2.0)).toarray().tolist() == [[0.0, 0.0, 0.0]]
    assert sparsejac.sparse_jacobian(lambda x: function(x[0]), np.ones(2)).toarray().tolist() == [[0.0, 0.0]]
    x = np.array([1.0, 2.0, 4.0])
    found = sparsejac.sparse_jacobian(function, x).toarray()
    np.testing.assert_allclose(found, differences(function, x).jacobian, rtol=1e-8)
