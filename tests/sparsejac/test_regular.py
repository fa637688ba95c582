"""Rows eliminated by index arithmetic: against products by tables, the strategy identity, and complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from kernels.address import Affine
from kernels.executor import allocate
from kernels.numpy_executor import NumpyExecutor
from sparsejac import prepare
from sparsejac.elimination import expansion, regional, regular
from sparsejac.elimination.digits import IrregularError, solve
from sparsejac.strategies.elimination import Elimination

Array = npt.NDArray[Any]
Function = Callable[[Array], Array]

STEPS = 12


def padded_steps(u: Array) -> Array:
    for _ in range(STEPS):
        p = np.concatenate([np.zeros(1), u, np.zeros(1)])
        u = u + 0.2 * (p[:-2] - 2.0 * u + p[2:]) - 0.1 * u * (p[2:] - p[:-2])
    return u


def fixed_ends(u: Array) -> Array:
    for _ in range(STEPS):
        inner = u[1:-1] + 0.1 * u[1:-1] * (u[:-2] - 2.0 * u[1:-1] + u[2:])
        u = np.concatenate([u[:1], inner, u[-1:]])
    return u


def ring(u: Array) -> Array:
    for _ in range(STEPS):
        u = u - 0.3 * u * (u - np.roll(u, 1)) + 0.05 * np.roll(u, -1) ** 2
    return u


def leapfrog(u: Array) -> Array:
    old, now = u, u + 0.1 * u * u
    for _ in range(STEPS):
        p = np.concatenate([np.zeros(1), now, np.zeros(1)])
        old, now = now, 1.9 * now - old + 0.1 * np.sin(p[2:]) * p[:-2]
    return now


def two_states(u: Array) -> Array:
    half = len(u) // 2
    a, b = u[:half], u[half : 2 * half]
    for _ in range(5):
        p = np.concatenate([np.zeros(1), a, np.zeros(1)])
        q = np.concatenate([np.zeros(1), b, np.zeros(1)])
        a, b = a + 0.1 * b * (q[2:] - q[:-2]), b - 0.1 * np.sin(a) * p[2:]
    return np.concatenate([a, b])


def every_third(u: Array) -> Array:
    return padded_steps(u)[::3] * 2.0


def backwards(u: Array) -> Array:
    return fixed_ends(u)[::-1].copy()


def shrinking(u: Array) -> Array:
    for _ in range(STEPS):
        u = u[1:-1] + 0.1 * u[1:-1] * (u[:-2] - 2.0 * u[1:-1] + u[2:])
    return u


def plane(u: Array) -> Array:
    v = u.reshape(23, 40)
    for _ in range(4):
        inner = v[1:-1, 1:-1] * (1.0 + 0.1 * v[2:, 1:-1] + 0.2 * v[:-2, 1:-1]) + 0.3 * v[1:-1, 2:] * v[1:-1, :-2]
        v = v.copy()
        v[1:-1, 1:-1] = inner
    return v.reshape(-1)


def complex_step(f: Function, x: Array) -> Array:
    columns = []
    for j in range(len(x)):
        z = x.astype(complex)
        z[j] += 1e-30j
        columns.append(f(z).imag / 1e-30)
    return np.array(columns).reshape(len(x), -1).T


def point(n: int) -> Array:
    return 0.5 + np.random.default_rng(n).random(n)


def is_regional(plan: Any) -> bool:
    """Whether no table serves most rows."""
    return bool(plan._variants.known[0].engine.prepared.regional)


FUNCTIONS: list[tuple[Function, int, bool]] = [
    (padded_steps, 200, True),
    (fixed_ends, 200, True),
    (ring, 200, False),
    (leapfrog, 200, True),
    (two_states, 400, True),
    (every_third, 240, True),
    (backwards, 200, True),
    (shrinking, 200, True),
    (plane, 23 * 40, False),
]


@pytest.mark.parametrize(("f", "n", "expected"), FUNCTIONS, ids=[f.__name__ for f, _, _ in FUNCTIONS])
def test_it_agrees_with_complex_step_and_identity(f: Function, n: int, expected: bool) -> None:
    x = point(n)
    plan = prepare(f, x, strategy="elimination", backend="numpy")
    found = plan(x)
    exact = complex_step(f, x)
    np.testing.assert_allclose(found.toarray(), exact, rtol=1e-11, atol=1e-12 * np.abs(exact).max())
    other = prepare(f, x, strategy="identity", backend="numpy")(x)
    np.testing.assert_array_equal(found.indices, other.indices)
    np.testing.assert_allclose(found.data, other.data, rtol=1e-11, atol=1e-12 * np.abs(exact).max())
    assert is_regional(plan) or not expected


def test_it_agrees_with_products_by_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = prepare(padded_steps, point(1000), strategy="elimination", backend="numpy")
    lowered, random = plan._variants.known[0].engine.lowered, np.random.default_rng(5)
    assert lowered is not None
    found = [Elimination(lowered).prepare(plan.pattern, known_zeros=False)]
    monkeypatch.setattr(regional, "regular", lambda *_: None)
    found.append(Elimination(lowered).prepare(plan.pattern, known_zeros=False))
    buffers = allocate(lowered.schedule)
    for number in lowered.schedule.inputs:
        buffers[number][:] = random.random(len(buffers[number]))
    entries = np.empty((2, plan.pattern.nnz))
    for prepared, out in zip(found, entries, strict=True):
        prepared.data(buffers, NumpyExecutor(lowered.schedule), out)
    assert [prepared.regional for prepared in found] == [True, False]  # type: ignore[attr-defined]
    np.testing.assert_allclose(entries[0], entries[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 15, 16, 17, 30])
@pytest.mark.parametrize("f", [padded_steps, ring, leapfrog])
def test_few_cells(f: Function, n: int) -> None:
    x = point(n)
    found = prepare(f, x, strategy="elimination", backend="numpy")(x).toarray()
    np.testing.assert_allclose(found, complex_step(f, x), rtol=1e-11, atol=1e-13)


def test_no_cells() -> None:
    assert prepare(padded_steps, np.zeros(0), strategy="elimination")(np.zeros(0)).shape == (0, 0)


def test_several_blocks_and_a_last_one_that_overlaps() -> None:
    x = point(20_001)
    plan = prepare(padded_steps, x, strategy="elimination", backend="numba")
    assert is_regional(plan)
    other = prepare(padded_steps, x, strategy="forward", backend="numba")
    np.testing.assert_allclose(plan(x).data, other(x).data, rtol=1e-12, atol=1e-14)


def test_what_is_not_finite_stays_where_it_is() -> None:
    x = point(200)
    x[77] = np.inf
    plan = prepare(padded_steps, point(200), strategy="elimination", backend="numpy")
    other = prepare(padded_steps, point(200), strategy="identity", backend="numpy")
    with np.errstate(all="ignore"):
        found, wanted = plan(x).toarray(), other(x).toarray()
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(wanted))


def chain(shifts: list[list[int]], wraps: list[bool]) -> Function:
    """Steps that each multiply what stands at some shifts, beyond the ends or around them."""

    def f(u: Array) -> Array:
        for own, wrap in zip(shifts, wraps, strict=True):
            total = 0.3 * u
            for k, shift in enumerate(own):
                if wrap:
                    total = total + 0.1 * (k + 1) * u * np.roll(u, shift)
                else:
                    p = np.concatenate([np.zeros(3), u, np.ones(3)])
                    total = total + 0.1 * (k + 1) * u * p[3 + shift : 3 + shift + len(u)]
            u = total
        return u

    return f


STEP = st.lists(st.integers(-3, 3), min_size=1, max_size=3)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(STEP, st.booleans()), min_size=2, max_size=5), st.integers(40, 120), st.integers(1, 3))
def test_random_chains(steps: list[tuple[list[int], bool]], n: int, stride: int) -> None:
    inner, x = chain([s for s, _ in steps], [w for _, w in steps]), point(n)

    def f(u: Array) -> Array:
        return inner(u)[::stride] * 1.5

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expansion, "MOST_DEMANDS", (2,))  # cuts at nearly every step
        patch.setattr(regular, "LARGEST_REST", 0.9)
        plan = prepare(f, x, strategy="elimination", backend="numpy")
        found = plan(x).toarray()
        event(f"by regions: {is_regional(plan)}")
    exact = complex_step(f, x)
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-12 * max(1.0, np.abs(exact).max()))


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    st.tuples(st.integers(0, 3), st.integers(1, 3)),
    st.data(),
)
def test_solve_finds_the_points(box: tuple[int, int], margins: tuple[int, int], data: st.DataObject) -> None:
    width = 2 * box[1] + margins[1]  # steps are rounded to the nearest
    rows = Affine(box, margins[0] * width, (width, 1))
    low = [data.draw(st.integers(0, n - 1)) for n in box]
    steps = [data.draw(st.integers(1, 2)) for _ in box]
    part = tuple(-(-(n - a) // s) for n, a, s in zip(box, low, steps, strict=True))
    offset = rows.offset + low[0] * width + low[1]
    places = Affine(part, offset, (steps[0] * width, steps[1]))
    numbers = Affine(box, 0, (box[1], 1))
    points = solve(rows, places).through(numbers, part)
    np.testing.assert_array_equal(rows.table()[points.table()], places.table())


def test_solve_refuses_what_lies_outside() -> None:
    with pytest.raises(IrregularError):
        solve(Affine((4,), 2, (1,)), Affine((3,), 0, (1,)))
    with pytest.raises(IrregularError):
        solve(Affine((4,), 0, (2,)), Affine((3,), 1, (2,)))
