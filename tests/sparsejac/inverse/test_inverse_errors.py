"""What is told where there is no inverse."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse import csr_array

from sparsejac import (
    InputError,
    InputTypeError,
    SingularError,
    ijvp,
    ivjp,
    linearize_inverse,
    newton_step,
    prepare_inverse,
    slogdet,
)
from sparsejac.patterns import room


def message(call: Callable[[], Any], error: Any = SingularError) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_jacobians_that_are_not_square() -> None:
    for call in (ivjp, ijvp, slogdet, newton_step, prepare_inverse):
        told = message(lambda call=call: call(np.diff, np.ones(4)), InputError)  # type: ignore[misc]
        assert call.__name__ in told
        assert "(3, 4)" in told
        assert "lsmr" in told
        assert "gauss_newton_operator" in told


def test_dense_lumps_that_no_memory_holds_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 5000
    monkeypatch.setattr(room, "memory", lambda: 1 << 28)
    multiplied = csr_array.__matmul__

    def noted(left: Any, right: Any) -> Any:
        product = multiplied(left, right)
        assert product.nnz <= n
        return product

    monkeypatch.setattr(csr_array, "__matmul__", noted)
    x = np.linspace(1.0, 2.0, n)
    for call in (ivjp, slogdet, prepare_inverse):
        told = message(lambda call=call: call(lambda x: x * np.sum(x), x), InputError)  # type: ignore[misc]
        assert "5000 unknowns have 2.5e+07 entries or more, which take 3 GiB" in told
    monkeypatch.setattr(csr_array, "__matmul__", multiplied)
    inverse = prepare_inverse(lambda x: np.cumsum(2.0 * x), x)(x)  # dense, but a product of sparse ones
    np.testing.assert_allclose(inverse.ivjp(np.cumsum(x)), 0.5 * x, rtol=1e-10)


def test_unknowns_and_results_without_influence() -> None:
    told = message(lambda: ivjp(lambda x: np.append(x[:-1], x[0] ** 2), np.ones(3)))
    assert "the result does not depend on x[2]" in told

    def constant_part(x: Any) -> Any:
        y = x * np.roll(x, 1)
        y[2] = 5.0
        return y

    assert "output[2] depends on no unknown" in message(lambda: ivjp(constant_part, np.ones(5)))
    assert "x[0], x[1]" in message(lambda: ivjp(lambda x: np.zeros(2), np.ones(2)))


def test_bottlenecks_are_told_with_their_line() -> None:
    def f(x: Any) -> Any:
        few = x[:2] * x[2:4] + x[4]  # the bottleneck
        return np.concatenate([few, np.sin(few), few[:1] ** 2])

    told = message(lambda: ivjp(f, np.ones(5)))
    assert "the 5 results still depend on is 2 numbers" in told
    assert "few = x[:2] * x[2:4] + x[4]" in told
    assert "damping" in told


def test_numbers_without_a_partner_are_named_with_their_lines() -> None:
    def f(x: Any) -> Any:
        y = np.exp(x)
        return np.array([y[0] + y[1], y[0] * y[1], y[0] - y[1], y[2] + y[3] * y[0]])

    told = message(lambda: ivjp(f, np.arange(1.0, 5.0)))
    assert "1 of 4 numbers" in told
    assert re.search(r"Without a partner are np\.(add|multiply|subtract)\[\d\], and np\.exp\[[23]\]", told)
    assert "y = np.exp(x)" in told
    assert "return np.array([y[0] + y[1]" in told


@pytest.mark.parametrize("lumps", ["auto", "finest", "one"])
def test_singular_points_tell_condition_and_value(lumps: Any) -> None:
    def squares(x: Any) -> Any:
        return np.exp(x**2)

    told = message(lambda: linearize_inverse(squares, np.array([1.0, 0.0, 2.0]), lumps=lumps))
    assert "[1] (here " in told
    assert "estimated condition infinite" in told
    assert "np.exp(x**2)" in told

    matrix = np.arange(9.0).reshape(3, 3) + 0.1
    told = message(lambda: linearize_inverse(lambda x: matrix @ np.sin(x), np.ones(3), lumps=lumps))
    found = re.search(r"estimated condition (\S+),", told)
    assert found is not None
    assert float(found[1].replace("infinite", "inf")) > 1e15


def poisson(n: int) -> Callable[[Any], Any]:
    """Singular: constants are in its kernel."""

    def f(x: Any) -> Any:
        y = 2.0 * x
        y[1:] -= x[:-1]
        y[:-1] -= x[1:]
        y[0] -= x[0]
        y[-1] -= x[-1]
        return y

    return f


@pytest.mark.parametrize("n", [3, 5, 40, 300])
def test_singular_bands_are_found(n: int) -> None:
    assert "singular" in message(lambda: ivjp(poisson(n), np.linspace(0.0, 1.0, n)))


def test_singular_sparse_matrices_are_found() -> None:
    m = 30

    def neumann(u: Any) -> Any:
        grid = u.reshape(m, m)
        y = np.zeros((m, m))
        y[1:] += grid[1:] - grid[:-1]
        y[:-1] += grid[:-1] - grid[1:]
        y[:, 1:] += grid[:, 1:] - grid[:, :-1]
        y[:, :-1] += grid[:, :-1] - grid[:, 1:]
        return y.reshape(-1)

    assert "singular" in message(lambda: ivjp(neumann, np.random.default_rng(0).random(m * m)))


def test_bad_scales_are_no_singularity() -> None:
    scales = 10.0 ** np.arange(-120.0, 121.0, 40.0)
    found = ivjp(lambda x: scales * x, np.ones(7))(np.ones(7))
    np.testing.assert_allclose(found, 1.0 / scales, rtol=1e-15)
    found = ivjp(lambda x: scales * (x + 0.3 * np.roll(x, 1)), np.ones(7))(1.3 * scales)
    np.testing.assert_allclose(found, np.ones(7), rtol=1e-12)


def test_partial_derivatives_that_are_no_numbers() -> None:
    told = message(lambda: ivjp(np.sqrt, np.array([1.0, 0.0])))
    assert "output[1] (here 0)" in told
    assert "infinite or NaN" in told


def test_a_plan_tells_of_the_point_and_goes_on() -> None:
    plan = prepare_inverse(lambda x: x**2, np.ones(3))
    assert "output[2]" in message(lambda: plan(np.array([1.0, 2.0, 0.0])))
    np.testing.assert_allclose(plan(np.array([1.0, 2.0, 4.0])).ivjp(np.ones(3)), [0.5, 0.25, 0.125])
    np.testing.assert_allclose(plan.newton_step(np.array([1.0, 2.0, 0.0]), damping=1.0), [-0.4, -16.0 / 17.0, 0.0])


def test_damping_that_determines_no_step() -> None:
    """Where J is singular in a direction without damping, and where damping is lost in rounding."""
    singular = np.array([1.0, 0.0, 2.0])
    told = message(lambda: newton_step(np.square, singular, damping=np.array([1.0, 0.0, 1.0])))
    assert "damped step is not determined" in told
    np.testing.assert_allclose(newton_step(np.square, singular, damping=np.array([0.0, 1.0, 0.0])), [-0.5, 0.0, -1.0])
    plan = prepare_inverse(np.square, np.ones(3))
    message(lambda: plan.newton_step(singular, damping=np.array([1.0, 0.0, 1.0])))
    rng = np.random.default_rng(0)
    for size in (3, 8, 30):
        basis = np.linalg.qr(rng.standard_normal((size, size)))[0]
        matrix, b = basis[:, 1:] @ basis[:, 1:].T, rng.standard_normal(size)  # a projection
        f = lambda x, A=matrix, b=b: A @ x + b  # noqa: E731
        assert "not determined" in message(lambda f=f, n=size: newton_step(f, np.zeros(n), damping=1e-17))  # type: ignore[misc]
        found = newton_step(f, np.zeros(size), damping=1e-6)
        np.testing.assert_allclose(found, -matrix @ b / (1.0 + 1e-6), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("damping", [1e-300, 1e-40, 1e-20, 1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("singular", ["equal columns", "Neumann", "zero row", "regular", "scaled"])
def test_damped_steps_are_right_or_refused(singular: str, damping: float) -> None:
    """Against the normal equations with 700 digits, where pivots cancel exactly, nearly, or not at all."""
    rng, right = np.random.default_rng(0), 0
    for size in (2, 3, 5) * 4:
        matrix, b = rng.integers(-3, 4, (size, size)) / 7.0 + 2.0 * np.eye(size), rng.standard_normal(size)
        if singular == "equal columns":
            matrix[:, -1] = matrix[:, 0]
        elif singular == "Neumann":
            matrix = np.diag([1.0, *[2.0] * (size - 2), 1.0]) - np.eye(size, k=1) - np.eye(size, k=-1)
        elif singular == "zero row":
            matrix[-1] = 0.0
        elif singular == "scaled":
            matrix = np.diag(10.0 ** rng.uniform(-9, 9, size))
        try:
            found = newton_step(lambda x, A=matrix, b=b: A @ x + b, np.zeros(size), damping=damping)  # type: ignore[misc]
        except SingularError:
            continue
        right += 1
        with mpmath.workdps(700):
            J, f = mpmath.matrix(matrix.tolist()), mpmath.matrix(b.tolist())
            step = mpmath.lu_solve(J.T * J + mpmath.mpf(damping) * mpmath.eye(size), -(J.T * f))
            expected = np.array([float(s) for s in step])
        assert np.abs(found - expected).max() <= 0.05 * np.abs(expected).max()
    assert right == 12 or (singular in ("equal columns", "Neumann", "zero row") and damping < 1e-6)


def test_bad_arguments() -> None:
    x = np.ones(3)
    assert "lumps='few'" in message(lambda: linearize_inverse(np.sin, x, lumps="few"), InputError)  # type: ignore[arg-type]
    assert "backend='cuda'" in message(lambda: ivjp(np.sin, x, backend="cuda"), InputError)  # type: ignore[arg-type]
    for bad in (-1.0, np.nan, np.ones(2), np.array([1.0, np.inf, 0.0])):
        message(lambda bad=bad: newton_step(np.sin, x, damping=bad), InputError)  # type: ignore[misc]
    for bad in (None, "text", 1j, np.ma.array(x, mask=[1, 0, 0])):
        message(lambda bad=bad: newton_step(np.sin, x, damping=bad), InputTypeError)  # type: ignore[misc]
    for bad in (np.zeros(2), (x, x), sp.eye_array(3, format="csr"), {"a": x}):
        message(lambda bad=bad: newton_step(np.sin, x, damping=bad), (InputError, InputTypeError))  # type: ignore[misc]
    inverse = linearize_inverse(np.sin, x)
    message(lambda: inverse.ivjp(np.ones(4)), InputError)
    message(lambda: inverse.ivjp(np.ones(3) * 1j), InputTypeError)
    plan = prepare_inverse(np.sin, x)
    assert "made for (3,)" in message(lambda: plan(np.ones(4)), InputError)
