"""Python loops over scalars: as few nodes and launches as vectorised code, whatever the number of turns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsejac
from oracles import Array, complex_step, differences
from traced_functions import counts, value_by_schedule

Function = Callable[[Any], Any]


def check(f: Function, x: Array, *, analytic: bool = True) -> None:
    """Value and Jacobian against NumPy and complex step (else differences)."""
    value, jacobian = sparsejac.value_and_jacobian(f, x)
    np.testing.assert_allclose(value, f(x.copy()), rtol=1e-12, atol=1e-13)
    if analytic:
        np.testing.assert_allclose(jacobian.toarray(), complex_step(f, x), rtol=1e-11, atol=1e-12)
    else:
        estimate = differences(f, x)
        assert (np.abs(jacobian.toarray() - estimate.jacobian) <= 10 * estimate.error + 1e-10).all()


def broyden(x: Any) -> Any:
    n = len(x)
    y = np.zeros(n, dtype=x.dtype)
    for i in range(n):
        y[i] = (3.0 - 2.0 * x[i]) * x[i] + 1.0
        if i > 0:
            y[i] -= x[i - 1]
        if i < n - 1:
            y[i] -= 2.0 * x[i + 1]
    return y


def rosenbrock(x: Any) -> Any:
    s = 0.0
    for i in range(len(x) - 1):
        s += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return s


def rosenbrock_list(x: Any) -> Any:
    out = []
    for i in range(len(x) - 1):
        out.append(10.0 * (x[i + 1] - x[i] * x[i]))
        out.append(1.0 - x[i])
    return out


def grid(x: Any) -> Any:
    """Five points in two loops, boundary by if; a grid of 5 rows."""
    u = x.reshape(5, -1)
    m, n = u.shape
    out = np.zeros((m, n), dtype=x.dtype)
    for i in range(m):
        for j in range(n):
            s = -4.0 * u[i, j] + np.exp(u[i, j])
            if i > 0:
                s += u[i - 1, j]
            if i < m - 1:
                s += u[i + 1, j]
            if j > 0:
                s += u[i, j - 1]
            if j < n - 1:
                s += u[i, j + 1]
            out[i, j] = s
    return out


def row_sums(x: Any) -> Any:
    """An accumulation inside an outer loop."""
    u = x.reshape(-1, 10)
    out = np.zeros(len(u), dtype=x.dtype)
    for i in range(len(u)):
        s = 0.0
        for j in range(10):
            s += u[i, j] * u[i, j - 1]
        out[i] = s
    return out


def by_turn(x: Any) -> Any:
    """Constants that differ by turn; the first turn multiplies by zero."""
    n = len(x)
    h = 1.0 / n
    y = np.zeros(n, dtype=x.dtype)
    for i in range(n):
        t = i * h
        y[i] = t * np.sin(x[i]) + x[i] ** 2 * (1.0 + t) + t**2
    return y


def modular(x: Any) -> Any:
    """Index arithmetic: neighbours around a ring, a reversed and a strided index."""
    n = len(x)
    y = np.zeros(n, dtype=x.dtype)
    for i in range(n):
        y[i] = x[(i + 1) % n] * x[i - 1] + x[n - 1 - i] - x[(3 * i) % n]
    return y


def interleaved(x: Any) -> Any:
    """Array work before, between and after scalar work."""
    y = np.sin(x)
    z = np.zeros(len(x), dtype=x.dtype)
    for i in range(1, len(x)):
        z[i] = y[i] * x[i - 1]
    w = z * 2.0 + y
    for i in range(len(x)):
        z[i] = w[i] + w[-1 - i] * x[0]
    return z + w


def several_bodies(x: Any) -> Any:
    n = len(x)
    out = np.zeros(2 * n, dtype=x.dtype)
    for i in range(n):
        out[2 * i] = np.exp(-x[i])
    for i in range(n):
        out[2 * i + 1] = out[2 * i] * x[i]
    return out


def zipped(x: Any) -> Any:
    return [a * b - k for k, (a, b) in enumerate(zip(x[1:], x[:-1], strict=True))]


def scatter(x: Any) -> Any:
    """A finite-element assembly: each turn adds to two places of the result."""
    y = np.zeros(len(x), dtype=x.dtype)
    for e in range(len(x) - 1):
        flux = (x[e + 1] - x[e]) ** 3
        y[e] += flux
        y[e + 1] -= flux
    return y


def helper(a: Any, b: Any) -> Any:
    return a * b + math.pi


def with_helper(x: Any) -> Any:
    return np.array([helper(x[i], x[i + 1]) for i in range(len(x) - 1)])


def grid_by_number(x: Any) -> Any:
    """The same five points written to places of a vector."""
    u = x.reshape(5, -1)
    m, n = u.shape
    out = np.zeros(m * n, dtype=x.dtype)
    for i in range(m):
        for j in range(n):
            s = -4.0 * u[i, j] + np.exp(u[i, j])
            if i > 0:
                s += u[i - 1, j]
            if i < m - 1:
                s += u[i + 1, j]
            if j > 0:
                s += u[i, j - 1]
            if j < n - 1:
                s += u[i, j + 1]
            out[i * n + j] = s
    return out


CONSTANT_COUNT = [
    broyden, rosenbrock, rosenbrock_list, grid, grid_by_number, row_sums, by_turn, modular, interleaved,
    several_bodies, zipped, scatter, with_helper,
]  # fmt: skip
every_loop = pytest.mark.parametrize("f", CONSTANT_COUNT, ids=lambda f: f.__name__)


@every_loop
def test_trace_size_does_not_grow_with_the_loop(f: Function) -> None:
    """Nodes and launches at 20, 100 and 1000 unknowns: the same numbers."""
    small, middle = (counts(f, np.linspace(0.1, 0.9, n)) for n in (20, 100))
    assert small == middle
    large = counts(f, np.linspace(0.1, 0.9, 1000))
    assert large == middle
    assert large[1] <= 16


@every_loop
@pytest.mark.parametrize("n", [10, 20])
def test_value_and_jacobian(f: Function, n: int) -> None:
    check(f, np.random.default_rng(n).uniform(0.2, 1.5, n))


@every_loop
def test_large_loops_agree_with_numpy(f: Function) -> None:
    x = np.random.default_rng(0).uniform(0.2, 1.5, 500)
    np.testing.assert_allclose(value_by_schedule(f, x), f(x.copy()), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("f", [broyden, by_turn, modular, rosenbrock_list, zipped], ids=lambda f: f.__name__)
@pytest.mark.parametrize("n", [2, 3, 4])
def test_short_loops(f: Function, n: int) -> None:
    check(f, np.linspace(0.3, 0.7, n))


@pytest.mark.parametrize(
    ("loop", "vectorised"),
    [
        (broyden, lambda x: (3 - 2 * x) * x + 1 - np.append(0.0, x[:-1]) - 2 * np.append(x[1:], 0.0)),
        (by_turn, lambda x: np.arange(len(x)) / len(x) * np.sin(x) + x**2 * (1 + np.arange(len(x)) / len(x))),
        (several_bodies, lambda x: np.stack([np.exp(-x), np.exp(-x) * x], axis=1)),
        (scatter, lambda x: np.append(np.diff(x) ** 3, 0.0) - np.append(0.0, np.diff(x) ** 3)),
    ],
)
def test_the_loop_is_its_vectorised_twin(loop: Function, vectorised: Function) -> None:
    """The same pattern, and the same entries."""
    x = np.random.default_rng(1).uniform(0.2, 1.5, 200)
    left, right = sparsejac.sparse_jacobian(loop, x), sparsejac.sparse_jacobian(vectorised, x)
    assert left.nnz == right.nnz
    np.testing.assert_allclose((left - right).toarray(), 0.0, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 20, 300])
def test_partial_sums_that_are_read(n: int) -> None:
    """Every partial sum is an output: the Jacobian is a full lower triangle."""

    def f(x: Any) -> Any:
        out, s = [], 0.0
        for i in range(n):
            s += x[i] ** 2
            out.append(s)
        return out

    x = np.linspace(0.5, 1.5, n)
    value, jacobian = sparsejac.value_and_jacobian(f, x)
    np.testing.assert_allclose(value, np.cumsum(x**2), rtol=1e-13)
    np.testing.assert_allclose(jacobian.toarray(), np.tril(np.broadcast_to(2 * x, (n, n))), rtol=1e-15)
    assert jacobian.nnz == n * (n + 1) // 2


@pytest.mark.parametrize("n", [9, 40])
def test_some_partial_sums_are_read(n: int) -> None:
    """The sum is asked for now and then, also between array work, and goes on afterwards."""

    def f(x: Any) -> Any:
        s, marks = 0.0, []
        for i in range(n):
            s = s + np.sin(x[i])
            if i % 4 == 3:
                marks.append(s * x[0])
        middle = np.stack(marks) * 2.0
        for i in range(n):
            s = s + x[i] * middle[0]
        return np.append(middle, s)

    check(f, np.linspace(0.2, 1.4, n))


def test_a_sum_inside_a_sum() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        for i in range(12):
            s = x[i]
            for j in range(i):
                s += x[j] * x[i]
            total += s**2
        return total

    check(f, np.linspace(0.1, 0.4, 12))


def test_a_long_sum_is_one_reduction() -> None:
    def f(x: Any) -> Any:
        s = 0.0
        for v in x:
            s += v * v
        return s

    assert counts(f, np.ones(50)) == counts(f, np.ones(2000))
    x = np.random.default_rng(2).normal(size=2000)
    value, jacobian = sparsejac.value_and_jacobian(f, x)
    assert value == pytest.approx(x @ x, rel=1e-13)
    np.testing.assert_allclose(jacobian.toarray()[0], 2 * x, rtol=1e-15)


RECURRENCES: dict[str, Function] = {
    "logistic": lambda x: recur(x, lambda s, v: 1.5 * s * (1.0 - s) + 0.1 * v),
    "product": lambda x: recur(x, lambda s, v: s * v),
    "horner": lambda x: recur(x, lambda s, v: s * x[0] + v),
    "sine": lambda x: recur(x, lambda s, v: np.sin(s) + v**2),
    "difference": lambda x: recur(x, lambda s, v: v - s),
    "fraction": lambda x: recur(x, lambda s, v: v + 1.0 / (2.0 + s)),
}


def recur(x: Any, step: Callable[[Any, Any], Any]) -> Any:
    s, out = x[0], []
    for v in x[1:]:
        s = step(s, v)
        out.append(s)
    return np.array(out)


@pytest.mark.parametrize("what", RECURRENCES)
@pytest.mark.parametrize("n", [2, 13])
def test_recurrences(what: str, n: int) -> None:
    check(RECURRENCES[what], np.linspace(0.3, 0.8, n))


def test_a_tridiagonal_solve() -> None:
    """Thomas' algorithm forward and back, in place."""

    def f(x: Any) -> Any:
        n = len(x)
        d, b = np.array([4.0 + 0.1 * x[i] for i in range(n)]), x * 1.0
        for i in range(1, n):
            w = -1.0 / d[i - 1]
            d[i] = d[i] + w
            b[i] = b[i] - w * b[i - 1]
        b[-1] = b[-1] / d[-1]
        for i in range(n - 2, -1, -1):
            b[i] = (b[i] + b[i + 1]) / d[i]
        return b

    check(f, np.linspace(0.5, 1.5, 9))


def test_constants_of_turns_are_operands() -> None:
    """Another list of constants gives the same structure: nothing is set up again."""

    def made(c: Array) -> Function:
        return lambda x: [c[i] * x[i] ** 2 for i in range(len(x))]

    x = np.ones(15)
    for c in (np.arange(1.0, 16.0), np.linspace(-3, -1, 15)):
        np.testing.assert_allclose(sparsejac.sparse_jacobian(made(c), x).data, 2 * c)
    assert counts(made(np.arange(1.0, 16.0)), x) == counts(made(np.ones(15)), x)


def test_first_turn_with_a_zero_factor_keeps_its_entry_or_not_alike() -> None:
    """i * h is 0.0 at i = 0: the pattern is that of the vectorised code, the entry's value 0."""
    jacobian = sparsejac.sparse_jacobian(lambda x: [i * 0.5 * x[i] ** 2 for i in range(12)], np.ones(12))
    np.testing.assert_allclose(jacobian.toarray(), np.diag(np.arange(12.0)))


def test_conditions_on_indices_and_values() -> None:
    """Both kinds of if in one loop: the first makes groups, the second guards."""

    def f(x: Any) -> Any:
        out = []
        for i in range(len(x)):
            if i % 3 == 0:
                out.append(x[i] ** 2)
            elif x[i] > 0.5:
                out.append(x[i] * x[0])
            else:
                out.append(-x[i])
        return out

    x = np.linspace(0.0, 1.0, 13)
    check(f, x + 0.01, analytic=False)
    check(f, x[::-1] + 0.01, analytic=False)


def test_views_inside_a_loop() -> None:
    def f(x: Any) -> Any:
        u = x.reshape(4, 5)
        out = np.zeros((4, 3), dtype=x.dtype)
        for i in range(4):
            row = u[i]
            for j in range(3):
                out[i, j] = row[j] * row[j + 2] + u[i - 1][j]
        return out

    check(f, np.linspace(0.1, 2.0, 20))


def test_whole_rows_in_a_loop() -> None:
    """Turns of vector work are not scalars; they are right all the same."""

    def f(x: Any) -> Any:
        u = x.reshape(6, 4)
        out = np.zeros((6, 4), dtype=x.dtype)
        for i in range(1, 5):
            out[i] = u[i + 1] - 2.0 * u[i] + u[i - 1] + u[i, 0] ** 2
        out[0, :] = u[0]
        out[-1] = u[-1] * out[1]
        return out

    check(f, np.linspace(0.1, 2.0, 24))


def test_a_while_loop_on_an_index() -> None:
    def f(x: Any) -> Any:
        i, s = 0, x[0]
        while i < len(x):
            s = s + x[i] * (i + 1)
            i += 2
        return [s, s * x[1]]

    check(f, np.linspace(0.2, 0.8, 11))


@pytest.mark.parametrize("n", [0, 1])
def test_no_turns(n: int) -> None:
    value, jacobian = sparsejac.value_and_jacobian(broyden, np.full(n, 0.5))
    assert value.shape == (n,)
    assert jacobian.toarray().tolist() == [[1.0]] * n


def test_a_strided_write_into_a_view() -> None:
    def f(x: Any) -> Any:
        y = np.ones(2 * len(x), dtype=x.dtype)
        odd = y[1::2]
        for i in range(len(x)):
            odd[i] *= x[i]
            y[2 * i] += odd[i] * x[-1]
        return y[::-1]

    check(f, np.linspace(0.3, 1.2, 10))
    assert counts(f, np.ones(10)) == counts(f, np.ones(100))


Step = tuple[str, int, int]
KINDS = ("add", "subtract", "multiply", "sine", "scale", "sum", "partial sums", "turn", "array", "write")
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=15)


def scalar_program(x: Any, statements: list[Step]) -> Any:
    """Random scalar statements, all at the same few places of the code, with array work in between."""
    pool = list(x)
    for kind, a, b in statements:
        left, right = pool[-1 - a % len(pool)], pool[b % len(pool)]
        if kind == "add":
            pool.append(left + right)
        elif kind == "subtract":
            pool.append(left - 0.5 * right)
        elif kind == "multiply":
            pool.append(0.3 * left * right)
        elif kind == "sine":
            pool += [np.sin(v) for v in (left, right)]
        elif kind == "scale":
            pool.append(left * (b - 20) * 0.1)
        elif kind in ("sum", "partial sums"):
            s, marks = left, []
            for k in range(7 + b % 5):
                s = s + pool[(a + k) % len(pool)] * 0.2
                marks.append(s)
            pool += marks[:: 1 + a % 4] if kind == "partial sums" else [s]
        elif kind == "turn":
            s = left
            for k in range(b % 12):
                s = pool[k % len(pool)] * 0.5 + np.sin(s)
            pool.append(s)
        elif kind == "array":
            pool += list(np.array(pool[-1 - a % 6 :]) * 0.5 + right)
        else:
            y = np.full(4, 0.25, dtype=np.result_type(x.dtype))
            y[a % 4] = left
            y[b % 4] += right
            y[a % 3] = y[a % 3] + y[b % 4] * 0.5
            pool += [y[b % 4], y[0]]
    return pool[-8:]


@settings(max_examples=48)
@given(steps)
def test_random_scalar_programs(statements: list[Step]) -> None:
    """Levels, groups, chains and interruptions of all kinds."""
    x = np.array([0.3, -0.7, 0.9, 0.4, -0.2])
    check(lambda v: scalar_program(v, statements), x)


def test_rows_of_a_sum_that_are_asked_for_after_it_was_rolled() -> None:
    """A few rows are rolled one by one: their operands may be inner rows of a sum that was rolled before."""

    def f(x: Any) -> Any:
        total, partial = 0.0, []
        for k in range(12):
            total = total + x[k]
            partial.append(total)
        whole = x * total
        return whole * (partial[5] * 2.0) + np.sum(whole) / partial[7]

    check(f, np.linspace(0.4, 1.9, 13))


def test_vectors_and_scalars_in_turn() -> None:
    """Each turn asks for scalars that were just written, and reads elements of what it made of them."""

    def f(x: Any) -> Any:
        y = x * 1.0
        for k in range(40):
            scale = y[k % 7] * y[(k + 3) % 7] + 0.25
            y = y / (1.0 + scale * scale)
            y[k % 5] = scale - y[6]
        return y

    check(f, np.linspace(0.3, 1.2, 7))


@pytest.mark.parametrize("exponent", [2, 2.0, 1, 0.5, -1, 3, -2, 0, np.float64(2.0)])
def test_powers_of_elements(exponent: Any) -> None:
    def f(x: Any) -> Any:
        return np.array([x[k] ** exponent for k in range(4)])

    check(f, np.array([0.7, 1.3, 2.1, 0.4]))
