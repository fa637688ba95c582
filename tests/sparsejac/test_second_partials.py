"""Second partial derivatives of scalar kernels: against differences of first ones by complex step, and their price."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from kernels import Kernel, KernelBuilder
from kernels.interpreter import Interpreter
from oracles import differences
from primitive_points import regular_points
from scalar_kernels import apply, gradient, is_regular, scalar_kernels
from sparsejac import gradient as sparse_gradient
from sparsejac import hvp, prepare_hessian, sparse_hessian
from sparsejac.elimination.second_partials import second_partials
from sparsejac.primitives import PRIMITIVES
from sparsejac.schedules.partials import differentiable_loads, linearized

Array = NDArray[np.float64]
DETACHED = {"stop", "hold", "derived", "single", "half"}
NAMES = [name for name, p in PRIMITIVES.items() if any(p.partials) and name not in DETACHED]


def hessian_at(kernel: Kernel, point: Array) -> Array:
    """The dense Hessian at one point."""
    found = second_partials(kernel, range(kernel.loads))
    with np.errstate(all="ignore"):
        values = Interpreter(found.kernel)([np.array([p]) for p in point]) if found.pairs else []
    dense = np.zeros((kernel.loads, kernel.loads))
    for (a, b), value in zip(found.pairs, values, strict=True):
        dense[a, b] = dense[b, a] = np.asarray(value).ravel()[0]
    return dense


@settings(max_examples=120, deadline=None)
@given(scalar_kernels(), st.integers(0, 999))
def test_second_partials_are_differences_of_complex_steps(kernel: Kernel, seed: int) -> None:
    point = np.random.default_rng(seed).uniform(-2, 2, kernel.loads).round(3)
    assume(is_regular(kernel, point))
    estimate = differences(lambda x: gradient(kernel, x), point)
    assume(np.isfinite(estimate.jacobian).all() and np.abs(estimate.jacobian).max() < 1e6)
    assume(estimate.error.max() < 1e-6)
    found = hessian_at(kernel, point)
    assert (np.abs(found - estimate.jacobian) <= 50 * estimate.error + 1e-7 * (1 + np.abs(estimate.jacobian))).all()


def partials_of(name: str, operands: tuple[Array, ...]) -> tuple[list[Array], dict[tuple[int, int], Array]]:
    """First and second partials of one primitive at many points."""
    builder = KernelBuilder(len(operands))
    kernel = builder.build(apply(builder, name, *range(len(operands))))
    loads = tuple(sorted(differentiable_loads(kernel)))
    second = second_partials(kernel, loads)
    with np.errstate(all="ignore"):
        first = Interpreter(linearized(kernel, loads))(list(operands))[1:]
        values = Interpreter(second.kernel)(list(operands)) if second.pairs else []
    shape = operands[0].shape
    firsts = [np.broadcast_to(np.asarray(v, dtype=np.float64), shape) for v in first]
    seconds = {p: np.broadcast_to(np.asarray(v, np.float64), shape) for p, v in zip(second.pairs, values, strict=True)}
    return firsts, seconds


@pytest.mark.parametrize("name", NAMES)
def test_every_primitive(name: str) -> None:
    """Against central differences of its first partials."""
    operands = regular_points(name)
    first, second = partials_of(name, operands)
    builder = KernelBuilder(len(operands))
    loads = sorted(differentiable_loads(builder.build(apply(builder, name, *range(len(operands))))))
    h = 1e-6
    for b in loads:
        ahead, behind = (tuple(o + s * h * (k == b) for k, o in enumerate(operands)) for s in (1, -1))
        moved = zip(partials_of(name, ahead)[0], partials_of(name, behind)[0], strict=True)
        for a, (plus, minus) in zip(loads, moved, strict=True):
            expected = (plus - minus) / (2 * h)
            found = second.get((min(a, b), max(a, b)), np.zeros_like(expected))
            smooth = np.abs(plus - minus) < 0.05 * (1.0 + np.abs(plus))  # no jump in between
            scale = 1.0 + np.abs(expected) + np.abs(first[loads.index(a)])
            assert smooth.mean() > 0.8
            close = np.abs(found - expected) <= 2e-5 * scale
            assert close[smooth].mean() > 0.97, (a, b, found[smooth & ~close][:3], expected[smooth & ~close][:3])


def test_a_dead_branch_leaks_nothing() -> None:
    """sqrt and log where they have no derivatives, behind selects that do not take them."""
    builder = KernelBuilder(2)
    positive = apply(builder, "greater", 0, builder.literal(0.0))
    root, square = apply(builder, "sqrt", 0), apply(builder, "multiply", 0, 1)
    kernel = builder.build(apply(builder, "select", positive, apply(builder, "multiply", root, 1), square))
    np.testing.assert_array_equal(hessian_at(kernel, np.array([0.0, 3.0])), [[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(hessian_at(kernel, np.array([-4.0, 3.0])), [[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(hessian_at(kernel, np.array([4.0, 3.0])), [[-3.0 / 32, 0.25], [0.25, 0.0]])


@pytest.mark.parametrize("count", [2, 5, 9])
def test_half_of_the_matrix_is_computed(count: int) -> None:
    """exp(a'x) with literal factors: count (count + 1) / 2 entries, and of arithmetic a few operations for each."""
    builder = KernelBuilder(count)
    total = 0
    for k in range(count):
        term = apply(builder, "multiply", builder.literal(0.5 + k), k)
        total = term if k == 0 else apply(builder, "add", total, term)
    kernel = builder.build(apply(builder, "exp", total))
    found = second_partials(kernel, range(count))
    assert len(found.pairs) == count * (count + 1) // 2
    assert found.kernel.weight <= kernel.weight + 3 * len(found.pairs) + count
    point = np.linspace(-0.2, 0.3, count)
    slope = 0.5 + np.arange(count)
    np.testing.assert_allclose(hessian_at(kernel, point), np.exp(slope @ point) * np.outer(slope, slope), rtol=1e-14)


def test_equal_operands() -> None:
    """x * x, x / x, hypot(x, x), logaddexp(x, x) and x ** x, of one load."""
    expected = {
        "multiply": 2.0,
        "add": 0.0,
        "subtract": 0.0,
        "divide": 0.0,
        "hypot": 0.0,
        "logaddexp": 0.0,
        "maximum": 0.0,
        "power": 1.5**1.5 * ((1.0 + np.log(1.5)) ** 2 + 1.0 / 1.5),
    }
    for name, value in expected.items():
        builder = KernelBuilder(1)
        kernel = builder.build(apply(builder, name, 0, 0))
        assert hessian_at(kernel, np.array([1.5]))[0, 0] == pytest.approx(value, abs=1e-15), name


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0])
def test_powers_move_with_an_exponent_that_is_whole(p: float) -> None:
    """What is constant at one exponent is not near it: the mixed derivatives of x**p at p = 0 are 1 / x."""
    x = np.array([0.5, 1.0, 3.0, 1e-320, np.nan])
    _, second = partials_of("power", (x, np.full(5, p)))
    log = np.log(x[:3])
    assert_allclose(second[0, 1][:3], x[:3] ** (p - 1.0) * (1.0 + p * log), rtol=1e-14)
    assert_allclose(second[1, 1][:3], x[:3] ** p * log * log, rtol=1e-14)
    assert_allclose(second[0, 0][:3], p * (p - 1.0) * x[:3] ** (p - 2.0), rtol=1e-14)
    first, _ = partials_of("power", (np.append(x, 0.0), np.zeros(6)))
    assert_array_equal(first[0], 0.0)


def test_powers_of_a_power() -> None:
    """(x + 2)**(x**2 - x) has an exponent of zero at 0 and 1."""
    f, tower = (lambda x: np.sum((x + 2.0) ** (x * x - x))), (lambda x: np.sum(x**x))
    a = np.array([0.0, 1.0])
    exponent, slope = np.log(a + 2.0), 2.0 * a - 1.0
    expected = (slope * exponent) ** 2 + 2.0 * exponent + 2.0 * slope / (a + 2.0)
    for strategy in ("auto", "elimination", "star", "identity"):
        assert_allclose(sparse_hessian(f, a, strategy=strategy).diagonal(), expected, rtol=1e-14)
    curved = lambda x: np.sum(hvp(tower, x, np.ones(1)))  # noqa: E731
    assert_allclose(sparse_gradient(curved, np.ones(1)), [3.0], rtol=1e-14)


SQUARES_OF_MODULI: dict[str, Callable[[Any], Any]] = {
    "abs": lambda x: np.sum(np.abs(x) ** 2),
    "times itself": lambda x: np.sum(np.abs(x) * np.abs(x)),
    "in a loop": lambda x: sum(abs(t) ** 2 for t in x),
    "hypot": lambda x: np.hypot(x[0], x[1]) ** 2 + np.hypot(x[2], x[3]) ** 2,
    "complex": lambda x: np.sum(np.abs(x[:2] + 1j * x[2:]) ** 2),
    "norm": lambda x: np.linalg.norm(x) ** 2,
    "norms of columns": lambda x: np.sum(np.square(np.linalg.norm(x.reshape(2, 2), axis=0)[::-1])),
    "spectrum": lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2) / 4.0,
}


@pytest.mark.parametrize("name", SQUARES_OF_MODULI)
@pytest.mark.parametrize("x", [np.zeros(4), np.ones(4), np.array([0.0, 1.0, 0.0, -2.0])])
def test_squares_of_moduli_have_no_kink(name: str, x: Array) -> None:
    """All of them are the sum of squares; of a constant signal, most of the spectrum is zero."""
    f = SQUARES_OF_MODULI[name]
    plan = prepare_hessian(f, np.array([0.3, -0.4, 1.2, 0.5]))
    for H in (sparse_hessian(f, x), plan(x)):
        assert_allclose(H.toarray(), 2.0 * np.eye(4), rtol=1e-14, atol=1e-14)
    assert_allclose(sparse_gradient(f, x), 2.0 * x, rtol=1e-14, atol=1e-14)
    assert_allclose(hvp(f, x, np.arange(4.0)), 2.0 * np.arange(4.0), rtol=1e-14, atol=1e-14)


def test_a_root_with_another_number_where_it_is_zero_is_no_modulus() -> None:
    def f(x: Any) -> Any:
        total = x @ x
        return np.where(total == 0.0, 5.0, np.sqrt(total)) ** 2

    assert_array_equal(sparse_hessian(f, np.zeros(2)).toarray(), 0.0)
    assert_allclose(sparse_hessian(f, np.array([3.0, 4.0])).toarray(), 2.0 * np.eye(2), rtol=1e-14, atol=1e-14)
