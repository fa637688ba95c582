"""Partial derivatives of scalar kernels: against complex step, and what they may cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels import Kernel, KernelBuilder
from scalar_kernels import apply, gradient, is_regular, partials_at, scalar_kernels
from sparsejac import sparse_jacobian
from sparsejac.primitives import PRIMITIVES
from sparsejac.schedules.partials import differentiable_loads, linearized

# Comparisons and masks, which no count of flops knows, come with a kink.
BOOKKEEPING = 8


def kernel_of(name: str, *operands: int, loads: int = 1) -> Kernel:
    builder = KernelBuilder(loads)
    return builder.build(apply(builder, name, *operands))


def operations(kernel: Kernel) -> int:
    return sum(i.operation is not None for i in kernel.instructions)


@settings(max_examples=160)
@given(scalar_kernels(), st.integers(0, 999))
def test_partials_are_those_of_complex_step(kernel: Kernel, seed: int) -> None:
    point = np.random.default_rng(seed).uniform(-2, 2, kernel.loads).round(3)
    assume(is_regular(kernel, point))
    expected = gradient(kernel, point)
    assume(np.isfinite(expected).all() and np.abs(expected).max() < 1e6)
    value, found = partials_at(linearized(kernel, tuple(range(kernel.loads))), point)
    assert value == pytest.approx(partials_at(kernel, point)[0], rel=1e-15)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * (1.0 + np.abs(expected).max()))


@settings(max_examples=100)
@given(scalar_kernels(), st.integers(0, 999), st.data())
def test_some_partials_are_those_of_all(kernel: Kernel, seed: int, data: st.DataObject) -> None:
    point = np.random.default_rng(seed).uniform(-2, 2, kernel.loads)
    everything = partials_at(linearized(kernel, tuple(range(kernel.loads))), point)[1]
    chosen = tuple(data.draw(st.lists(st.integers(0, kernel.loads - 1), unique=True)))
    np.testing.assert_array_equal(partials_at(linearized(kernel, chosen), point)[1], everything[list(chosen)])


@settings(max_examples=100)
@given(scalar_kernels(), st.integers(0, 999))
def test_loads_without_influence_are_left_out(kernel: Kernel, seed: int) -> None:
    """What `differentiable_loads` leaves out has derivative zero."""
    point = np.random.default_rng(seed).uniform(-2, 2, kernel.loads)
    assume(is_regular(kernel, point))
    slopes = gradient(kernel, point)
    assert {k for k in range(kernel.loads) if slopes[k] != 0.0} <= differentiable_loads(kernel)


def test_only_paths_through_derivatives_make_a_load_differentiable() -> None:
    """``floor(a) * b + where(c > 0, d, 1)``: b and d, not what is rounded or compared."""
    builder = KernelBuilder(4)
    first = apply(builder, "multiply", apply(builder, "floor", 0), 1)
    condition = apply(builder, "greater", 2, builder.literal(0.0))
    second = apply(builder, "select", condition, 3, builder.literal(1.0))
    assert differentiable_loads(builder.build(apply(builder, "add", first, second))) == {1, 3}


@pytest.mark.parametrize(
    ("name", "count"),
    [("multiply", 2), ("maximum", 8), ("minimum", 8), ("hypot", 5), ("add", 1), ("fmax", 8), ("logaddexp", 6)],
)
def test_equal_operands_merge(name: str, count: int) -> None:
    """The partial of g(x, x) is computed once: at most `count` operations with the value."""
    merged = linearized(kernel_of(name, 0, 0), (0,))
    assert operations(merged) <= count
    slope = {"multiply": 2 * 1.7, "hypot": np.sqrt(2.0), "add": 2.0}.get(name, 1.0)
    assert partials_at(merged, np.array([1.7]))[1] == pytest.approx(slope, rel=1e-15)


def test_a_square_is_twice_its_root() -> None:
    """x * x: the value and 2 x, nothing else."""
    names = [i.operation.name for i in linearized(kernel_of("multiply", 0, 0), (0,)).instructions if i.operation]
    assert names == ["multiply", "multiply"]


@pytest.mark.parametrize(
    ("name", "slope"), [("subtract", 0.0), ("divide", 0.0), ("power", 1.3**1.3 * (1 + np.log(1.3)))]
)
def test_equal_operands_of_other_operations_add_up(name: str, slope: float) -> None:
    kernel = linearized(kernel_of(name, 0, 0), (0,))
    np.testing.assert_allclose(partials_at(kernel, np.array([1.3]))[1], [slope], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_cost_is_a_small_multiple_of_the_value(name: str) -> None:
    """Griewank & Walther's bound for the cost of a gradient, for each primitive."""
    arity = len(PRIMITIVES[name].partials)
    kernel = kernel_of(name, *range(arity), loads=arity)
    active = tuple(k for k, rule in enumerate(PRIMITIVES[name].partials) if rule is not None)
    assert linearized(kernel, active).weight <= 4 * kernel.weight + BOOKKEEPING


@pytest.mark.parametrize("depth", [1, 5, 40])
def test_cost_of_a_chain_is_linear(depth: int) -> None:
    """y = sin(sin(... x)) * x: one cosine and one product a link, shared powers computed once."""
    builder = KernelBuilder(1)
    value = 0
    for _ in range(depth):
        value = apply(builder, "multiply", apply(builder, "sin", value), 0)
    kernel = builder.build(value)
    gradient_kernel = linearized(kernel, (0,))
    assert gradient_kernel.weight <= 4 * kernel.weight
    found = partials_at(gradient_kernel, np.array([0.9]))[1]
    np.testing.assert_allclose(found, gradient(kernel, np.array([0.9])), rtol=1e-12)


def test_a_constant_has_no_partials() -> None:
    builder = KernelBuilder(2)
    kernel = builder.build(builder.literal(3.0))
    assert partials_at(linearized(kernel, (0, 1)), np.array([1.0, 2.0]))[1].tolist() == [0.0, 0.0]
    assert differentiable_loads(kernel) == set()


def test_a_load_is_its_own_derivative() -> None:
    kernel = KernelBuilder(2).build(1)
    assert partials_at(linearized(kernel, (0, 1)), np.array([1.0, 2.0]))[1].tolist() == [0.0, 1.0]


def test_nested_guards_keep_a_pole_out() -> None:
    """``where(x > 0, where(x > 1, log(x - 1), x), -x)`` at points of all three branches and on the edges."""
    builder = KernelBuilder(1)
    one, zero = builder.literal(1.0), builder.literal(0.0)
    log = apply(builder, "log", apply(builder, "subtract", 0, one))
    inner = apply(builder, "select", apply(builder, "greater", 0, one), log, 0)
    outer = apply(builder, "select", apply(builder, "greater", 0, zero), inner, apply(builder, "negative", 0))
    kernel = linearized(builder.build(outer), (0,))
    for x, slope in ((3.0, 0.5), (1.0, 1.0), (0.5, 1.0), (0.0, -1.0), (-1.0, -1.0), (-np.inf, -1.0)):
        assert partials_at(kernel, np.array([x]))[1].tolist() == [slope]


def test_what_is_behind_an_operand_that_was_not_chosen_does_not_leak() -> None:
    """As for `where`: the root's infinite slope is no part of a maximum that another operand is."""
    x = np.array([0.0, 4.0])
    for f, expected in (
        (lambda x: np.maximum(np.sqrt(x), 1.0), [0.0, 0.25]),
        (lambda x: np.minimum(np.sqrt(x), -1.0), [0.0, 0.0]),
        (lambda x: np.clip(np.sqrt(x), 1.0, 1.5), [0.0, 0.0]),
        (lambda x: np.fmax(np.sqrt(x - 1.0), 1.0), [0.0, 0.5 / np.sqrt(3.0)]),
    ):
        np.testing.assert_allclose(sparse_jacobian(f, x).toarray(), np.diag(expected), rtol=1e-14)
