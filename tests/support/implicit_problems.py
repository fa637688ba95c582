"""Functions of parameters with equations to be solved inside, and a dense solver of complex numbers as an oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oracles import complex_step
from sparsejac import implicit

Array = npt.NDArray[Any]
Solve = Callable[..., Any]

STEP = 1e-30


def dense_solve(f: Callable[..., Any], guess: Any, *params: Any) -> Any:
    """The root of f, by Newton's method on a dense Jacobian from complex steps.

    Parameters whose imaginary parts are tiny give a root whose imaginary parts are its derivative: the Jacobian is that
    of the real parts, and one more step with it is exact to second order.
    """
    shape, size = np.shape(guess), np.size(guess)

    def residual(u: Array) -> Array:
        x = u.reshape(shape) if shape else u[0]
        return np.asarray(f(x, *params), dtype=complex).reshape(-1)

    u = np.array(guess, dtype=complex).reshape(-1).real.astype(complex)
    for _ in range(60):
        at = u.real.astype(complex)
        base = residual(at).real
        matrix = np.array([residual(at + STEP * 1j * e).imag - residual(at).imag for e in np.eye(size)]).T / STEP
        step = np.linalg.solve(matrix, -residual(at)) if size else u
        scale, norm = 1.0, np.linalg.norm(base)
        while scale > 1e-6 and size and not np.linalg.norm(residual(at + scale * step.real).real) <= norm:
            scale *= 0.5
        u = at + (scale * step.real if np.abs(step.real).max(initial=0.0) > 1e-13 else 0.0) + 1j * step.imag
        if np.abs(step.real).max(initial=0.0) <= 1e-13 * max(1.0, np.abs(u).max(initial=0.0)):
            break
    u = u if u.imag.any() else u.real
    return u.reshape(shape) if shape else u[0]


@dataclass(frozen=True)
class Problem:
    """A function g(p, solve) of a vector, and the entries of its Jacobian.

    Parameters
    ----------
    g : callable
    p : array
    pattern : callable
        From the sizes of result and p to the dense pattern of truth values.
    """

    g: Callable[[Any, Solve], Any]
    p: Array
    pattern: Callable[[int, int], Array]


def _full(rows: int, columns: int) -> Array:
    return np.ones((rows, columns), dtype=bool)


def _diagonal(rows: int, columns: int) -> Array:
    return np.eye(rows, columns, dtype=bool)


def _beside(*blocks: Callable[[int, int], Array]) -> Callable[[int, int], Array]:
    """Equal numbers of columns for each block."""

    def pattern(rows: int, columns: int) -> Array:
        return np.hstack([block(rows, columns // len(blocks)) for block in blocks])

    return pattern


def _scalar(p: Any, solve: Solve) -> Any:
    return solve(lambda x, a, b: x**3 + a * x - b, 1.0, p[0], p[1])


def _plane(p: Any, solve: Solve) -> Any:
    def f(x: Any, q: Any) -> Any:
        return np.stack([x[0] ** 2 + x[1] ** 2 - q[0], x[0] * x[1] - q[1] * q[2]])

    return solve(f, np.array([2.0, 0.5]), p)


def _bratu(p: Any, solve: Solve) -> Any:
    n = 12

    def f(u: Any, lam: Any) -> Any:
        v = np.concatenate([np.zeros(1), u, np.zeros(1)])
        return (v[2:] - 2.0 * v[1:-1] + v[:-2]) * (n + 1) ** 2 + lam * np.exp(u)

    return solve(f, np.zeros(n), p[0])


def _bratu_field(p: Any, solve: Solve) -> Any:
    def f(u: Any, lam: Any) -> Any:
        v = np.pad(u, 1) if not np.iscomplexobj(u) else _padded(u)
        laplacian = v[2:, 1:-1] + v[:-2, 1:-1] + v[1:-1, 2:] + v[1:-1, :-2] - 4.0 * u
        return 16.0 * laplacian + lam * np.exp(u)

    return solve(f, np.zeros((3, 4)), p.reshape(3, 4))


def _padded(u: Array) -> Array:
    v = np.zeros((u.shape[0] + 2, u.shape[1] + 2), dtype=complex)
    v[1:-1, 1:-1] = u
    return v


def _circuit(p: Any, solve: Solve) -> Any:
    """Diodes and resistors in a ladder: voltages of the nodes by resistances and sources."""

    def f(v: Any, resistance: Any, source: Any) -> Any:
        left = np.concatenate([source, v[:-1]])
        current = (left - v) / resistance
        diode = 1e-3 * (np.exp(v / 0.5) - 1.0)
        onward = np.concatenate([current[1:], np.zeros(1)])
        return current - diode - onward

    return solve(f, np.full(5, 0.5), p[:5], p[5:])


def _blocks(p: Any, solve: Solve) -> Any:
    """Four systems of two equations, which share nothing."""

    def f(x: Any, a: Any, b: Any) -> Any:
        return np.stack([x[0] ** 3 + x[0] - x[1] - a, x[1] + np.sin(x[0]) - b])

    return solve(f, np.ones((2, 4)), p[:4], p[4:]).reshape(-1)


def _chain(p: Any, solve: Solve) -> Any:
    """Each unknown by the one before: dx/dp is lower triangular."""

    def f(x: Any, q: Any) -> Any:
        before = np.concatenate([np.zeros(1), x[:-1]])
        return x + 0.2 * x**3 - np.tanh(before) - q

    return solve(f, np.zeros(6), p)


def _permuted(p: Any, solve: Solve) -> Any:
    """The same with the equations in another order."""

    def f(x: Any, q: Any) -> Any:
        before = np.concatenate([np.zeros(1), x[:-1]])
        return (x + 0.2 * x**3 - np.tanh(before) - q)[::-1]

    return solve(f, np.zeros(6), p)


def _arrow(p: Any, solve: Solve) -> Any:
    """All unknowns hang on the first one, and that on none."""

    def f(x: Any, q: Any) -> Any:
        return np.concatenate([x[:1] ** 3 + x[:1] - q[:1], x[1:] * (1.0 + x[0] ** 2) - q[1:]])

    return solve(f, np.ones(5), p)


def _kinetics(p: Any, solve: Solve) -> Any:
    """A, B and C in a cycle at steady state, with a conserved total: concentrations by rates."""

    def f(c: Any, k: Any, total: Any) -> Any:
        forward, back = k[0] * c[0] - k[1] * c[1], k[2] * c[1] ** 2 - k[3] * c[2]
        return np.stack([forward - back, back - k[4] * c[2], c[0] + c[1] + c[2] - total])

    return solve(f, np.array([0.5, 0.3, 0.4]), p[:5], p[5])


def _structured(p: Any, solve: Solve) -> Any:
    """Parameters in a dict, beside one that is a constant."""

    def f(x: Any, q: Any, power: int) -> Any:
        return x**power + q["linear"] * x - q["right"][0] * q["right"][1]

    return solve(f, np.ones(3), {"linear": p[:3], "right": [p[3:6], p[6:]]}, 3)


def _matrix(p: Any, solve: Solve) -> Any:
    """A matrix of unknowns, not square."""
    mix = np.array([[0.2, 0.1, 0.0], [0.0, 0.3, 0.1], [0.1, 0.0, 0.2]])

    def f(x: Any, q: Any) -> Any:
        return x + 0.1 * np.sin(mix @ x) - q

    return solve(f, np.zeros((3, 2)), p.reshape(3, 2)).reshape(-1)


def _two_columns(rows: int, columns: int) -> Array:
    return np.kron(np.ones((3, 3)), np.eye(2)).astype(bool)[:rows, :columns]


def _single(p: Any, solve: Solve) -> Any:
    return solve(lambda x, q: np.exp(x) - q, np.zeros(1), p)


def _empty(p: Any, solve: Solve) -> Any:
    return solve(lambda x, q: x * 1.0, np.zeros(0), p)


def _linear(p: Any, solve: Solve) -> Any:
    """A system whose matrix depends on p."""

    def f(x: Any, a: Any, b: Any) -> Any:
        return a.reshape(3, 3) @ x + 4.0 * x - b

    return solve(f, np.zeros(3), p[:9], p[9:])


def _nested(p: Any, solve: Solve) -> Any:
    """Equations with a root in them."""

    def outer(x: Any, q: Any) -> Any:
        inner = solve(lambda y, a: y**3 + y - a, np.ones(3), x * q)
        return x + inner - 2.0 * q

    return solve(outer, np.ones(3), p)


def _composed(p: Any, solve: Solve) -> Any:
    """Code before and after, and parameters that are made of others."""
    q = np.concatenate([p[:2] * p[2:], np.sin(p[:1])])
    x = solve(lambda x, a: x + np.tanh(x) - a, np.zeros(3), q)
    return np.concatenate([np.cumsum(x), p[:1] * x[:1]])


def _composed_pattern(rows: int, columns: int) -> Array:
    depends = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0]], dtype=bool)
    after = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=bool)
    return (after.astype(int) @ depends.astype(int)) > 0


def _steps(p: Any, solve: Solve) -> Any:
    """Steps of the implicit Euler method, each from where the one before ended."""
    u = p[:3]
    for _ in range(3):
        u = solve(lambda v, u, k: v - u + 0.1 * k * v**3, u, u, p[3])
    return u


def _steps_pattern(rows: int, columns: int) -> Array:
    return np.hstack([np.eye(3, dtype=bool), np.ones((3, 1), dtype=bool)])


def _captured(p: Any, solve: Solve) -> Any:
    """Equations that find their parameters in a closure."""
    scale = p[0] * 2.0
    return solve(lambda x: scale * x + np.exp(x) - p[1:], np.zeros(3))


def _captured_pattern(rows: int, columns: int) -> Array:
    return np.hstack([np.ones((3, 1), dtype=bool), np.eye(3, dtype=bool)])


def _many(p: Any, solve: Solve) -> Any:
    """More parameters than unknowns."""
    return solve(lambda x, q: x**5 + x - np.sum(q**2) * np.ones(2), np.ones(2), p)


def _few(p: Any, solve: Solve) -> Any:
    """One parameter, spread over a field of them."""
    field = p[0] * np.linspace(1.0, 2.0, 9)
    mixed = np.linspace(0.1, 0.2, 9)

    def f(x: Any, q: Any) -> Any:
        return x + mixed * np.sum(x**2) / 9.0 - q

    return solve(f, np.zeros(9), field)


def _lower(rows: int, columns: int) -> Array:
    return np.tril(np.ones((rows, columns), dtype=bool))


def _first_column(rows: int, columns: int) -> Array:
    found = np.eye(rows, columns, dtype=bool)
    found[:, 0] = True
    return found


PROBLEMS: dict[str, Problem] = {
    "scalar": Problem(_scalar, np.array([1.5, 4.0]), _full),
    "plane": Problem(_plane, np.array([4.0, 0.7, 1.2]), _full),
    "bratu": Problem(_bratu, np.array([1.3]), _full),
    "bratu field": Problem(_bratu_field, np.linspace(0.5, 2.0, 12), _full),
    "circuit": Problem(_circuit, np.array([0.5, 1.0, 0.7, 2.0, 1.1, 2.5]), _full),
    "blocks": Problem(_blocks, np.linspace(0.3, 1.7, 8), lambda m, n: np.kron(np.ones((2, 2)), np.eye(4)) > 0),
    "chain": Problem(_chain, np.linspace(-0.5, 0.8, 6), _lower),
    "permuted": Problem(_permuted, np.linspace(-0.5, 0.8, 6), _lower),
    "arrow": Problem(_arrow, np.linspace(0.5, 1.5, 5), _first_column),
    "kinetics": Problem(_kinetics, np.array([1.0, 0.4, 0.8, 0.3, 0.9, 1.5]), _full),
    "structured": Problem(_structured, np.linspace(0.5, 2.0, 9), _beside(_diagonal, _diagonal, _diagonal)),
    "matrix": Problem(_matrix, np.linspace(-1.0, 1.0, 6), _two_columns),
    "single": Problem(_single, np.array([2.5]), _full),
    "empty": Problem(_empty, np.array([1.0, 2.0]), _full),
    "linear": Problem(_linear, np.linspace(0.1, 1.2, 12), _full),
    "nested": Problem(_nested, np.array([0.8, 1.1, 1.9]), _diagonal),
    "composed": Problem(_composed, np.array([0.3, 0.9, 1.4, -0.6]), _composed_pattern),
    "steps": Problem(_steps, np.array([0.6, 1.2, -0.9, 1.5]), _steps_pattern),
    "captured": Problem(_captured, np.array([0.7, 1.5, 2.5, 0.9]), _captured_pattern),
    "many": Problem(_many, np.linspace(0.2, 0.9, 7), _full),
    "few": Problem(_few, np.array([0.6]), _full),
}
"""Names of problems, for messages of tests."""


def flat_function(problem: Problem) -> Callable[[Any], Any]:
    """The function of p as an array of one dimension, by `implicit`."""
    return lambda p: np.reshape(problem.g(p, _ours), -1)


def _ours(f: Callable[..., Any], guess: Any, *params: Any) -> Any:
    return implicit(f)(guess, *params)


def reference(problem: Problem) -> Array:
    """The dense Jacobian, by complex steps through dense Newton iterations."""
    found = complex_step(lambda p: np.reshape(problem.g(p, dense_solve), -1), problem.p)
    return np.reshape(found, (np.size(problem.g(problem.p, dense_solve)), len(problem.p)))
