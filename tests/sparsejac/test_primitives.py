"""Every primitive of the registry: value, code, partial derivatives, tangents and adjoints, sparsity.

The tests walk `PRIMITIVES`: a new primitive is covered without a line here (see `primitive_points` for domains).
"""

from __future__ import annotations

from functools import cache
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from kernels import (
    Access,
    Affine,
    Executor,
    Kernel,
    KernelBuilder,
    Launch,
    NumbaExecutor,
    NumpyExecutor,
    Schedule,
    allocate,
    allocate_rows,
)
from kernels.executor import rows_of
from kernels.interpreter import Interpreter
from oracles import differences
from primitive_points import (
    POINTS,
    Array,
    complex_partial,
    oracle,
    regular_points,
    special_points,
    tail_points,
    takes_complex,
    ulps,
)
from sparsejac.patterns.sparsity import detect
from sparsejac.primitives import PRIMITIVES, Primitive
from sparsejac.schedules.partials import linearized

NAMES = tuple(PRIMITIVES)
OPERANDS = 4
ELEMENTARY = 16  # the weight from which on code may differ from NumPy by some ulps
# NumPy itself gives either zero for a tie of zeros, by the length of the array.
EITHER_ZERO = {"maximum", "minimum", "fmax", "fmin"}

DETACHED = {"stop", "hold", "derived", "single", "half"}
"""Primitives whose declared derivative is on purpose not that of their value: rules put it in place by `derived`."""

every_primitive = pytest.mark.parametrize("name", NAMES)
every_executor = pytest.mark.parametrize("executor", [NumpyExecutor, NumbaExecutor])


def value_kernel(primitive: Primitive) -> Kernel:
    arity = len(primitive.partials)
    builder = KernelBuilder(arity)
    return builder.build(builder.apply(primitive.operation, *range(arity)))


def differentiable(primitive: Primitive) -> tuple[int, ...]:
    return tuple(k for k, rule in enumerate(primitive.partials) if rule is not None)


@cache
def every_launch() -> Schedule:
    """One launch for each primitive: operands in x, four stretches a primitive, results in one buffer."""
    launches = []
    for p, primitive in enumerate(PRIMITIVES.values()):
        kernel, active = value_kernel(primitive), differentiable(primitive)
        starts = [(OPERANDS * p + k) * POINTS for k in range(kernel.loads)]
        loads = tuple(Access(0, Affine((POINTS,), start, (1,))) for start in starts)
        store = Access(1, Affine((POINTS,), p * POINTS, (1,)))
        launches.append(Launch(kernel, linearized(kernel, active), (POINTS,), loads, store, active))
    count = len(NAMES) * POINTS
    return Schedule((OPERANDS * count, count), (0,), tuple(launches), 1)


@cache
def executor_of(kind: type[Executor]) -> Executor:
    return kind(every_launch())  # type: ignore[call-arg]


def buffers_at(points: list[tuple[Array, ...]]) -> list[Array]:
    buffers = allocate(every_launch())
    x = buffers[0].reshape(len(NAMES), OPERANDS, POINTS)
    x[...] = 0.5
    for row, operands in zip(x, points, strict=True):
        row[: len(operands)] = operands
    return buffers


@cache
def evaluated(kind: type[Executor], which: str) -> tuple[Array, list[Array]]:
    """Values, one row a primitive, and partials, from one run of code that computes both."""
    points = [special_points() if which == "special" else regular_points(name) for name in NAMES]
    buffers = buffers_at(points)
    partials = executor_of(kind).partials(buffers)
    return buffers[1].reshape(len(NAMES), POINTS), partials


@cache
def dot_products() -> tuple[Array, Array]:
    """<Jv, w> by tangents and <v, J'w> by adjoints, for each primitive."""
    schedule = every_launch()
    rng = np.random.default_rng(0)
    v, w = (rng.uniform(-1, 1, (schedule.sizes[b], 1)) for b in (0, 1))
    buffers = buffers_at([regular_points(name) for name in NAMES])
    tangents, adjoints = allocate_rows(schedule, 1), allocate_rows(schedule, 1)
    rows_of(tangents, 0)[...] = v
    rows_of(adjoints, 1)[...] = w
    executor = executor_of(NumpyExecutor)
    executor.forward(buffers, tangents, 1)
    executor.reverse(buffers, adjoints, 1)
    pushed = (rows_of(tangents, 1) * w).reshape(len(NAMES), -1).sum(axis=1)
    pulled = (rows_of(adjoints, 0) * v).reshape(len(NAMES), -1).sum(axis=1)
    return pushed, pulled


@every_executor
@every_primitive
def test_value(name: str, executor: type[Executor]) -> None:
    primitive = PRIMITIVES[name]
    with np.errstate(all="ignore"):
        expected = np.asarray(oracle(name)(*special_points()[: len(primitive.partials)]), dtype=np.float64)
    found = evaluated(executor, "special")[0][NAMES.index(name)]
    distance = ulps(found, expected)
    allowed = 4 if primitive.operation.weight >= ELEMENTARY else 0
    worst = int(np.argmax(distance))
    assert distance[worst] <= allowed, (name, [o[worst] for o in special_points()], found[worst], expected[worst])
    if name not in EITHER_ZERO:
        differ = (np.signbit(found) != np.signbit(expected)) & ~np.isnan(expected)
        assert not differ.any(), (name, [o[differ] for o in special_points()])


@every_executor
@pytest.mark.parametrize("name", [name for name in NAMES if name not in DETACHED])
def test_partials(name: str, executor: type[Executor]) -> None:
    """Against complex step where NumPy takes complex numbers, else against extrapolated differences."""
    primitive, operands = PRIMITIVES[name], regular_points(name)
    found = evaluated(executor, "regular")[1][NAMES.index(name)]
    for column, k in enumerate(differentiable(primitive)):
        if takes_complex(name):
            np.testing.assert_allclose(found[:, column], complex_partial(name, operands, k), rtol=1e-11, atol=1e-13)
            continue
        estimate, error = difference_partial(name, operands, k)
        assert np.median(error) < 1e-8
        assert (np.abs(found[:, column] - estimate) <= 10 * error).all()


def difference_partial(name: str, operands: tuple[Array, ...], k: int) -> tuple[Array, Array]:
    function = oracle(name)

    def moved(h: Array) -> Any:
        return function(*(o + h[0] if j == k else o for j, o in enumerate(operands)))

    estimate = differences(moved, np.zeros(1))
    return estimate.jacobian[:, 0], estimate.error[:, 0]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DETACHED])
def test_an_operand_without_a_rule_has_derivative_zero(name: str) -> None:
    primitive, operands = PRIMITIVES[name], regular_points(name)
    for k, rule in enumerate(primitive.partials):
        if rule is None:
            estimate, error = difference_partial(name, operands, k)
            assert np.median(error) < 1e-8
            assert (np.abs(estimate) <= 10 * error).all()


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if takes_complex(name)],
)
def test_partials_keep_their_digits_in_the_tails(name: str) -> None:
    """A derivative of 1e-12 has as many right digits as one of 1."""
    primitive, operands = PRIMITIVES[name], tail_points(name)
    active = differentiable(primitive)
    with np.errstate(all="ignore"):
        found = Interpreter(linearized(value_kernel(primitive), active))(operands)[1:]
        value = np.asarray(oracle(name)(*operands), dtype=np.float64)
    for k, partial in zip(active, found, strict=True):
        expected = complex_partial(name, operands, k)
        compared = np.isfinite(value) & np.isfinite(expected) & (np.abs(expected) > 1e-250)
        partial = np.broadcast_to(partial, expected.shape)
        np.testing.assert_allclose(partial[compared], expected[compared], rtol=1e-9)


@every_primitive
def test_adjoints_are_the_transpose_of_tangents(name: str) -> None:
    pushed, pulled = (products[NAMES.index(name)] for products in dot_products())
    assert pushed == pytest.approx(pulled, rel=1e-11, abs=1e-12)
    assert (pushed != 0.0) == bool(differentiable(PRIMITIVES[name]))


@every_primitive
def test_pattern(name: str) -> None:
    """One entry for each operand with a rule, which covers the numeric Jacobian, and none for the others."""
    p = NAMES.index(name)
    active = differentiable(PRIMITIVES[name])
    rows = whole_pattern()[p * POINTS : (p + 1) * POINTS]
    points = np.arange(POINTS)
    expected = {((OPERANDS * p + k) * POINTS + i, i) for k in active for i in points.tolist()}
    found = rows.tocoo()
    assert set(zip(found.col.tolist(), found.row.tolist(), strict=True)) == expected
    assert evaluated(NumpyExecutor, "regular")[1][p].shape == (POINTS, len(active))


@cache
def whole_pattern() -> Any:
    return detect(every_launch()).pattern.to_scipy()


CONVENTIONS = [
    ("absolute", (0.0,), (0.0,)),
    ("absolute", (-0.0,), (0.0,)),
    ("maximum", (2.0, 2.0), (0.5, 0.5)),
    ("maximum", (0.0, -0.0), (0.5, 0.5)),
    ("minimum", (2.0, 2.0), (0.5, 0.5)),
    ("fmax", (2.0, 2.0), (0.5, 0.5)),
    ("fmin", (2.0, 2.0), (0.5, 0.5)),
    ("maximum", (nan, 2.0), (1.0, 0.0)),
    ("minimum", (2.0, nan), (0.0, 1.0)),
    ("fmax", (nan, 2.0), (0.0, 1.0)),
    ("fmin", (2.0, nan), (1.0, 0.0)),
    ("maximum", (inf, 2.0), (1.0, 0.0)),
    ("sqrt", (0.0,), (inf,)),
    ("cbrt", (0.0,), (inf,)),
    ("log", (0.0,), (inf,)),
    ("hypot", (0.0, 0.0), (0.0, 0.0)),
    ("hypot", (3e200, -4e200), (0.6, -0.8)),
    ("hypot", (3e-200, 4e-200), (0.6, 0.8)),
    ("power", (2.0, 0.0), (0.0, np.log(2.0))),
    ("power", (0.0, 0.0), (0.0, 0.0)),
    ("power", (0.0, 1.0), (1.0, 0.0)),
    ("power", (0.0, 2.0), (0.0, 0.0)),
    ("power", (0.0, 0.5), (inf, 0.0)),
    ("power", (-2.0, 3.0), (12.0, nan)),
    ("power", (-2.0, -1.0), (-0.25, nan)),
    ("divide", (1.0, inf), (0.0, -0.0)),
    ("arctan2", (0.0, -2.0), (-0.5, 0.0)),
    ("arctan2", (3e200, 4e200), (4.0 / 5.0 / 5e200, -3.0 / 5.0 / 5e200)),
    ("logaddexp", (800.0, 800.0), (0.5, 0.5)),
    ("logaddexp", (-inf, 3.0), (0.0, 1.0)),
    ("logaddexp", (5000.0, -5000.0), (1.0, 0.0)),
    ("logaddexp2", (5000.0, 5000.0), (0.5, 0.5)),
    ("copysign", (-2.0, 3.0), (-1.0,)),
    ("copysign", (2.0, -0.0), (-1.0,)),
    ("remainder", (7.5, 2.0), (1.0, -3.0)),
    ("remainder", (-7.5, 2.0), (1.0, 4.0)),
    ("remainder", (1.0, 0.1), (1.0, -9.0)),  # floor(a / b) is not a // b where a / b rounds up
    ("arccosh", (1.0,), (inf,)),
    ("arcsin", (1.0,), (inf,)),
    ("arctanh", (-1.0,), (inf,)),
]


@pytest.mark.parametrize(("name", "operands", "expected"), CONVENTIONS)
def test_convention(name: str, operands: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """What a derivative is at ties, kinks and poles."""
    primitive = PRIMITIVES[name]
    kernel = linearized(value_kernel(primitive), differentiable(primitive))
    with np.errstate(all="ignore"):
        found = Interpreter(kernel)([np.asarray(o) for o in operands])[1:]
    np.testing.assert_allclose([float(p) for p in found], expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["sign", "floor", "ceil", "trunc", "rint", "floor_divide", "greater", "isnan"])
def test_steps_have_no_dependency(name: str) -> None:
    assert differentiable(PRIMITIVES[name]) == ()


@pytest.mark.parametrize("bad", ["log", "sqrt", "reciprocal", "arccosh", "log1p"])
@pytest.mark.parametrize("x", [0.0, -1.0, -2.0, inf, nan])
def test_the_dead_branch_of_a_select_does_not_leak(bad: str, x: float) -> None:
    """``where(c, f(x), 3 x)`` with c false, and turned around: 3, whatever f(x) and its derivative are."""
    for flipped in (False, True):
        builder = KernelBuilder(2)
        dead = builder.apply(PRIMITIVES[bad].operation, 0)
        alive = builder.apply(PRIMITIVES["multiply"].operation, builder.literal(3.0), 0)
        branches = (alive, dead) if flipped else (dead, alive)
        kernel = builder.build(builder.apply(PRIMITIVES["select"].operation, 1, *branches))
        condition = 1.0 if flipped else 0.0
        with np.errstate(all="ignore"):
            partial = Interpreter(linearized(kernel, (0,)))([np.asarray(x), np.asarray(condition)])[1]
        assert float(partial) == 3.0
