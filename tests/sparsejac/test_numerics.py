"""Numerical helpers of NumPy: differences, tables, polynomials, norms, borders, products of vectors, choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.polynomial import Chebyshev, Polynomial, chebyshev, hermite, hermite_e, laguerre, legendre, polynomial

from dense_checks import check
from oracles import Array, differences
from sparsejac import UntraceableError, jacobian_sparsity, prepare, sparse_jacobian, value_and_jacobian

LINE = np.array([0.7, -1.3, 2.1, 0.4, -0.6, 1.7, 1.1])
TABLE = np.array([[0.3, -1.2, 2.5, 0.9], [1.1, 0.4, -0.6, -2.2], [0.8, 1.9, -1.5, 0.1]])
CUBE = np.linspace(-1.1, 1.7, 24).reshape(2, 3, 4) ** 3 + 0.31
GRID = np.array([0.0, 0.3, 1.0, 1.2, 2.0, 2.7, 4.0])
KNOTS = np.array([-1.0, -0.5, 0.25, 0.5, 1.5])
HEIGHTS = np.array([2.0, -1.0, 0.5, 3.0, 1.0])
LONG = np.cos(np.arange(61.0))

Programs = dict[str, tuple[Callable[[Any], Any], Array]]


def into(shape: Any, write: Callable[[Any, Any], Any], dtype: Any = float) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = np.zeros(shape, dtype)
        write(x, y)
        return y

    return f


def both(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several results as one vector."""
    return lambda x: np.concatenate([np.ravel(part) for part in f(x)])


DIFFERENCES: Programs = {
    "gradient": (np.gradient, LINE),
    "gradient with a step": (lambda x: np.gradient(x, 0.25), LINE),
    "gradient with a traced step": (lambda x: np.gradient(x, x[0]), LINE),
    "gradient of second order": (lambda x: np.gradient(x, 0.5, edge_order=2), LINE),
    "gradient on a grid": (lambda x: np.gradient(x, GRID), LINE),
    "gradient on an even grid": (lambda x: np.gradient(x, np.arange(7.0) * 0.5, edge_order=2), LINE),
    "gradient on a grid of second order": (lambda x: np.gradient(x, GRID, edge_order=2), LINE),
    "gradient on a traced grid": (lambda x: np.gradient(np.sin(GRID), x + 3.0 * np.arange(7.0), edge_order=2), LINE),
    "gradient of a table": (both(np.gradient), TABLE),
    "gradient of a table with steps": (both(lambda x: np.gradient(x, 0.5, GRID[:4])), TABLE),
    "gradient along": (lambda x: np.gradient(x, axis=1, edge_order=2), TABLE),
    "gradient along two": (both(lambda x: np.gradient(x, 2.0, axis=(2, 0))), CUBE),
    "gradient of two": (np.gradient, LINE[:2]),
    "ediff1d": (np.ediff1d, TABLE),
    "ediff1d with ends": (lambda x: np.ediff1d(x, to_end=[1.0, 2.0], to_begin=x[0]), LINE),
    "ediff1d of one": (np.ediff1d, LINE[:1]),
    "diff": (lambda x: np.diff(x, 2, axis=0), TABLE),
    "diff with ends": (lambda x: np.diff(x, prepend=x[2], append=[1.0, 2.0]), LINE),
    "diff with rows": (lambda x: np.diff(x, axis=0, prepend=np.zeros((2, 4)), append=x[:1]), TABLE),
    "trapezoid": (lambda x: np.trapezoid(x), LINE),
    "trapezoid with a step": (lambda x: np.trapezoid(x, dx=0.5, axis=0), TABLE),
    "trapezoid on a grid": (lambda x: np.trapezoid(x, GRID[:4]), TABLE),
    "trapezoid on a traced grid": (lambda x: np.trapezoid(x[0] ** 2, x[1]), TABLE),
    "trapezoid on a grid of the same shape": (lambda x: np.trapezoid(x**2, x, axis=0), TABLE),
    "trapezoid of one": (lambda x: np.trapezoid(x), LINE[:1]),
    "unwrap": (lambda x: np.unwrap(4.0 * x), LINE),
    "unwrap with a period": (lambda x: np.unwrap(x, period=1.5, axis=0), TABLE),
    "unwrap from a jump": (lambda x: np.unwrap(x, discont=2.0, period=2.0), TABLE),
    "linspace": (lambda x: np.linspace(x[0], x[1], 5), LINE),
    "linspace without end": (lambda x: np.linspace(x, 1.0, 4, endpoint=False, axis=1), LINE),
    "linspace with the step": (both(lambda x: np.linspace(0.0, x, 3, retstep=True)), LINE),
    "linspace of one": (lambda x: np.linspace(x, 2.0, 1), LINE),
    "logspace": (lambda x: np.logspace(x[0], x[1], 4), LINE),
    "logspace of a base": (lambda x: np.logspace(0.5, x[1:3], 4, base=2.0), LINE),
    "geomspace": (lambda x: np.geomspace(x[0], x[2], 6), LINE),
}

TABLES: Programs = {
    "interp": (lambda x: np.interp(x, KNOTS, HEIGHTS), LINE),
    "interp of a table": (lambda x: np.interp(x, KNOTS, HEIGHTS), TABLE),
    "interp with ends": (lambda x: np.interp(x, KNOTS, HEIGHTS, left=-7.0, right=9.0), LINE),
    "interp with traced ends": (lambda x: np.interp(x, KNOTS, HEIGHTS, left=x[0], right=x[1]), 2.0 * LINE),
    "interp with a period": (lambda x: np.interp(2.9 * x, KNOTS[::-1], HEIGHTS, period=2.2), LINE),
    "interp of lists": (lambda x: np.interp(x, [0.0, 1.0], [0.0, 2.0]), LINE),
    "interp of a number": (lambda x: np.interp(x[3], KNOTS, HEIGHTS), LINE),
    "interp with one knot": (lambda x: np.interp(x, [0.5], [3.0], left=x[0]), LINE),
    "interp of complex heights": (lambda x: np.interp(x, KNOTS, HEIGHTS * (1 + 2j)).imag, LINE),
    "interp of traced heights": (lambda x: np.interp(LINE, KNOTS, x[:5]), LINE),
    "interp of traced heights and points": (lambda x: np.interp(x[5:], KNOTS, x[:5]), LINE),
    "interp of traced knots": (lambda x: np.interp([0.1, 0.5, 2.0], np.cumsum(x**2), x), LINE),
    "interp of all": (lambda x: np.interp(x, np.cumsum(x**2), x, period=None), LINE),
    "interp with a period of traced heights": (lambda x: np.interp(x[5:], KNOTS, x[:5], period=2.3), LINE),
    "interp of nothing": (lambda x: np.interp(x, KNOTS, HEIGHTS), LINE[:0]),
}

POLYNOMIALS: Programs = {
    "convolve": (lambda x: np.convolve(x, [1.0, 0.5, 2.0]), LINE),
    "convolve, traced": (lambda x: np.convolve(x[:3], x[3:]), LINE),
    "convolve, swapped": (lambda x: np.convolve([1.0, 0.5], x, "valid"), LINE),
    "convolve, by number": (lambda x: np.convolve(x, [1.0, 2.0], "same"), LINE),
    "convolve, long": (lambda x: np.convolve(LONG, np.concatenate([x] * 5), "same"), LINE),
    "convolve, one": (lambda x: np.convolve(x[0], x), LINE),
    "convolve, complex": (lambda x: np.convolve(x, [1j, 2.0]).imag, LINE),
    "correlate, complex": (lambda x: np.correlate(x * 1j, [1j + 1, 2.0], "full").imag, LINE),
    "polyval": (lambda x: np.polyval([1.0, -2.0, 0.5], x), TABLE),
    "polyval, traced": (lambda x: np.polyval(x, 1.5), LINE),
    "polyval, both": (lambda x: np.polyval(x[:3], x[3:]), LINE),
    "polyval of a number": (lambda x: np.polyval(x[:3], x[4]), LINE),
    "polyval of none": (lambda x: np.polyval(x[:0], 2.0) + x, LINE),
    "poly1d": (lambda x: np.poly1d([1.0, -2.0, 0.5])(x), LINE),
    "poly1d of traced": (lambda x: np.poly1d(x)(0.5), LINE),
    "polyadd": (lambda x: np.polyadd(x, [1.0, 2.0]), LINE),
    "polysub": (lambda x: np.polysub(x[:2], x), LINE),
    "polymul": (lambda x: np.polymul(x[:3], x[2:]), LINE),
    "polyder": (lambda x: np.polyder(x, 2), LINE),
    "polyder to nothing": (lambda x: np.polyder(x, 2), LINE[:1]),
    "polyint": (lambda x: np.polyint(x, 2, k=[1.0, x[0]]), LINE),
    "poly": (lambda x: np.poly(x), LINE[:4]),
    "polyfit": (lambda x: np.polyfit(GRID, x, 2), LINE),
    "polyfit of tables": (lambda x: np.polyfit(GRID[:3], x, 1, w=[1.0, 2.0, 0.5]), TABLE),
    "polyfit at traced points": (lambda x: np.polyfit(x, GRID, 2), LINE),
    "vander": (lambda x: np.vander(x, 4), LINE[:3]),
    "vander, increasing": (lambda x: np.vander(x, increasing=True), LINE[:3]),
    "vander, none": (lambda x: np.vander(x, 0), LINE[:3]),
    "Polynomial": (lambda x: Polynomial([1.0, 2.0, -1.0], domain=[0.0, 3.0])(x), TABLE),
    "Chebyshev": (lambda x: Chebyshev([1.0, 2.0, -1.0, 0.5])(x / 4.0), LINE),
    "polynomial.polyval": (lambda x: polynomial.polyval(x, [1.0, 2.0, -1.0]), LINE),
    "chebval": (lambda x: chebyshev.chebval(x, [1.0, 2.0, -1.0]), TABLE),
    "legval": (lambda x: legendre.legval(x, [1.0, 2.0, -1.0, 0.5]), LINE),
    "hermval": (lambda x: hermite.hermval(x, [1.0, 2.0, -1.0, 0.5]), LINE),
    "hermeval": (lambda x: hermite_e.hermeval(x, [1.0, 2.0, -1.0, 0.5]), LINE),
    "lagval": (lambda x: laguerre.lagval(x, [1.0, 2.0, -1.0, 0.5]), LINE),
}

FAMILIES = {
    "poly": polynomial, "cheb": chebyshev, "leg": legendre, "herm": hermite, "herme": hermite_e, "lag": laguerre,
}  # fmt: skip


def series(family: str) -> Programs:
    """What each family has, with points and coefficients that depend on x."""
    module = FAMILIES[family]

    def of(name: str) -> Callable[..., Any]:
        return lambda *args: getattr(module, family + name)(*args)

    val, vander, grid = of("val"), of("vander"), of("grid2d")
    return {
        f"{family}val of coefficients": (lambda x: val(np.array([0.5, -1.0]), x), TABLE),
        f"{family}val of both": (lambda x: val(x[0], x, False), TABLE.T),
        f"{family}val of a number": (lambda x: val(x[3], x[:3]), LINE),
        f"{family}val of a list": (lambda x: val([x[3], 0.5], [1.0, 2.0, 3.0]), LINE),
        f"{family}val of one": (lambda x: val(x, x[:1]), LINE),
        f"{family}val2d": (lambda x: of("val2d")(x[0], x[1], TABLE[:2, :3]), TABLE),
        f"{family}val3d": (lambda x: of("val3d")(x[0], x[1], 0.5 * x[2], CUBE[:, :2, :2]), TABLE),
        f"{family}grid2d": (lambda x: grid(x[0], x[1, :2], x[:, :2]), TABLE),
        f"{family}vander": (lambda x: vander(x, 3), TABLE),
        f"{family}vander of degree 0": (lambda x: vander(x, 0) * x[:, None], LINE),
        f"{family}vander2d": (lambda x: of("vander2d")(x[0], x[1], [2, 1]), TABLE),
    }


for _family in FAMILIES:
    POLYNOMIALS |= series(_family)

NORMS: Programs = {
    "vector": (np.linalg.norm, LINE),
    "all": (np.linalg.norm, CUBE),
    "kept": (lambda x: np.linalg.norm(x, keepdims=True), TABLE),
    "one of a line": (lambda x: np.linalg.norm(x[:1]), LINE),
    **{f"order {p}": (lambda x, p=p: np.linalg.norm(x, p), LINE) for p in (2, 1, np.inf, -np.inf, 3, 0.5, -1, -2)},
    "order 0": (lambda x: np.linalg.norm(np.maximum(x, 0.0), 0) + x, LINE),
    "axis": (lambda x: np.linalg.norm(x, axis=0), TABLE),
    "axis, kept": (lambda x: np.linalg.norm(x, 3, axis=-1, keepdims=True), TABLE),
    "axis of a tuple": (lambda x: np.linalg.norm(x, 1, axis=(1,)), TABLE),
    **{
        f"matrix {p}": (lambda x, p=p: np.linalg.norm(x, p), TABLE + 0.1 * np.eye(3, 4))
        for p in ("fro", 1, -1, np.inf, -np.inf)
    },
    "matrices": (lambda x: np.linalg.norm(x, 1, axis=(0, 2), keepdims=True), CUBE),
    "matrices, turned": (lambda x: np.linalg.norm(x, np.inf, axis=(2, 0)), CUBE),
    "matrices, frobenius": (lambda x: np.linalg.norm(x, axis=(2, 1)), CUBE),
    "matrix 2": (lambda x: np.linalg.norm(x, 2), TABLE),
    "matrix nuc": (lambda x: np.linalg.norm(x, "nuc"), TABLE),
    "complex": (lambda x: np.linalg.norm(x * (1 + 2j) + 0.5), LINE),
    "complex, order 3": (lambda x: np.linalg.norm(x + 0.5j, 3), LINE),
    "vector_norm": (lambda x: np.linalg.vector_norm(x, axis=(0, 2), keepdims=True), CUBE),
    "vector_norm of all": (lambda x: np.linalg.vector_norm(x, ord=3), CUBE),
    "matrix_norm": (lambda x: np.linalg.matrix_norm(x, ord=1), CUBE),
}

BORDERS: Programs = {
    "constant": (lambda x: np.pad(x, (1, 2)), LINE),
    "constants": (lambda x: np.pad(x, 1, constant_values=[(1.0, 2.0), (3.0, 4.0)]), TABLE),
    "empty": (lambda x: np.pad(x, ((0, 0), (2, 1)), mode="empty")[:, 2:-1], TABLE),
    **{
        mode: (lambda x, mode=mode: np.pad(x, ((2, 1), (1, 2)), mode), TABLE)
        for mode in ("edge", "reflect", "symmetric", "wrap")
    },
    "linear_ramp": (lambda x: np.pad(x, ((2, 1), (0, 3)), "linear_ramp", end_values=((1.0, 2.0), (3.0, -4.0))), TABLE),
    "ramp to zero": (lambda x: np.pad(x, 3, "linear_ramp"), LINE),
    "maximum": (lambda x: np.pad(x, 2, "maximum"), TABLE),
    "minimum": (lambda x: np.pad(x, (1, 2), "minimum", stat_length=3), LINE),
    "mean": (lambda x: np.pad(x, ((1, 0), (2, 2)), "mean", stat_length=((1, 2), (3, 1))), TABLE),
    "median": (lambda x: np.pad(x, (1, 2), "median", stat_length=5), LINE),
    "odd": (lambda x: np.pad(x, ((2, 1), (3, 2)), "reflect", reflect_type="odd"), TABLE),
    "odd, again and again": (lambda x: np.pad(x, ((7, 4), (1, 9)), "reflect", reflect_type="odd"), TABLE),
    "symmetric and odd, again and again": (lambda x: np.pad(x, (4, 9), "symmetric", reflect_type="odd"), LINE[:3]),
    "odd, of one": (lambda x: np.pad(x, 2, "reflect", reflect_type="odd"), LINE[:1]),
    "symmetric and odd": (lambda x: np.pad(x, ((3, 1), (0, 4)), "symmetric", reflect_type="odd"), TABLE),
    "dictionary": (lambda x: np.pad(x, {-1: (2, 1)}, "mean"), TABLE)
    if np.lib.NumpyVersion(np.__version__) >= "2.2.0"
    else (lambda x: x, LINE),
}

PRODUCTS: Programs = {
    "cross": (lambda x: np.cross(x[:, :3], x[::-1, 1:]), TABLE),
    "cross along": (lambda x: np.cross(x, [[1.0], [2.0], [3.0]], axis=0), TABLE),
    "cross, axes": (lambda x: np.cross(x, TABLE[:, :3], axisa=0, axisb=1, axisc=0), TABLE[:, :3]),
    "linalg.cross": (lambda x: np.linalg.cross(x[:3], x[3:6]), LINE),
    "linalg.outer": (lambda x: np.linalg.outer(x, x[:2]), LINE),
    "linalg.matmul": (lambda x: np.linalg.matmul(x, x.T), TABLE),
    "linalg.tensordot": (lambda x: np.linalg.tensordot(x, x, axes=((0, 1), (0, 1))), TABLE),
    "linalg.vecdot": (lambda x: np.linalg.vecdot(x, x[:, ::-1], axis=0), TABLE),
    "linalg.diagonal": (lambda x: np.linalg.diagonal(x, offset=1), CUBE),
    "linalg.trace": (lambda x: np.linalg.trace(x), CUBE),
    "linalg.matrix_transpose": (lambda x: np.linalg.matrix_transpose(x) * np.arange(3.0), CUBE),
    "multi_dot": (lambda x: np.linalg.multi_dot([x, x.T, x, np.ones((4, 2))]), TABLE),
    "multi_dot of vectors": (lambda x: np.linalg.multi_dot([x[:, 0], x, x[0]]), TABLE),
    **{f"matrix_power {n}": (lambda x, n=n: np.linalg.matrix_power(x[:, :3], n), TABLE) for n in (0, 1, 2, 3, 5, -2)},
    "matrix_power of many": (lambda x: np.linalg.matrix_power(x[..., :3], 3), CUBE),
    "vecdot": (lambda x: np.vecdot(x, x[::-1]), TABLE),
    "vecdot, axis": (lambda x: np.vecdot(x, x[0] * 2.0, axis=-1, keepdims=True), TABLE),
    "vecdot of complex": (lambda x: np.vecdot(x * 1j, x + 2j).imag, TABLE),
    "vecdot with out": (into(3, lambda x, y: np.vecdot(x, x, out=y)), TABLE),
    "einsum by lists": (lambda x: np.einsum(x, [0, 1], x, [2, 1], [2, 0]), TABLE),
    "einsum by lists, implicit": (lambda x: np.einsum(x, [1, 0], TABLE, [1, 2]), TABLE),
    "einsum by lists with dots": (lambda x: np.einsum(x, [Ellipsis, 3], [0.5, 1.0, 2.0, -1.0], [3], [Ellipsis]), CUBE),
    "einsum of a diagonal": (lambda x: np.einsum("ii->i", x[:, :3]) ** 2, TABLE),
    "einsum of a trace": (lambda x: np.einsum("...ii", x[:, :3]), TABLE),
    "einsum of three": (lambda x: np.einsum("ij,kj,k->i", x, x, x[:, 0], optimize=True), TABLE),
    "einsum with out": (into((4, 3), lambda x, y: np.einsum("ij->ji", x, out=y)), TABLE),
    "einsum of dots": (lambda x: np.einsum("...j,j...->...", x, np.ones((4, 3)), optimize="greedy"), TABLE),
    "tensordot by numbers": (lambda x: np.tensordot(x, CUBE, axes=([-1], [2])), TABLE),
    "tensordot of nothing": (lambda x: np.tensordot(x[:2], x[2:], axes=0), LINE),
    "kron": (lambda x: np.kron(x[:2, :2], x), TABLE),
    "inner": (lambda x: np.inner(x, CUBE), TABLE),
    "vdot": (lambda x: np.vdot(x * 1j, x + 1j).imag, TABLE),
}
if hasattr(np, "matvec"):
    PRODUCTS |= {
        "matvec": (lambda x: np.matvec(x, x[:, 0]), CUBE),
        "vecmat": (lambda x: np.vecmat(x[..., 0], x), CUBE),
        "vecmat of complex": (lambda x: np.vecmat(x[..., 0] * 1j, x).imag, CUBE),
    }
    PRODUCTS["matvec"] = (lambda x: np.matvec(x, x[:, 0]), CUBE)

CHOICES: Programs = {
    "select": (lambda x: np.select([x > 1.0, x > 0.0], [x**2, -x], default=3.0), LINE),
    "select of tables": (lambda x: np.select([TABLE > 0.5, x > 0.0], [x, 2.0], x[0]), TABLE),
    "piecewise": (lambda x: np.piecewise(x, [x < 0.0, x > 1.0], [lambda t: -t, lambda t: t**2, 0.5]), LINE),
    "piecewise with arguments": (lambda x: np.piecewise(x, [LINE > 0.0], [lambda t, s: t * s, 1.0], 3.0), LINE),
    "piecewise by position": (lambda x: np.piecewise(x, [x > 0.0], [lambda t: t / np.sum(t), lambda t: t[::-1]]), LINE),
    "piecewise of a number": (lambda x: np.piecewise(x[0], [x[0] > 0.0], [lambda t: t**3, 0.0]), LINE),
    "choose": (lambda x: np.choose([0, 2, 1, 1], [x[0], x[1] ** 2, 5.0]), TABLE),
    "choose, clipped": (lambda x: np.choose([[-3], [7]], [x[0], x[1]], mode="clip"), TABLE),
    "choose, wrapped": (lambda x: np.choose([-1, 4, 0, 2], x, mode="wrap"), TABLE),
    "choose by x": (lambda x: np.choose(x > 0.0, [x, x**2]), LINE),
    "heaviside": (lambda x: np.heaviside(x, 0.5) * x, LINE),
    "heaviside of a traced half": (lambda x: np.heaviside([0.0, 1.0, -1.0], x[:3]), LINE),
    "isclose": (lambda x: np.isclose(x, LINE.round()) * x, LINE),
    "isclose as a mask": (lambda x: np.where(np.isclose(x, 0.4, atol=0.3, equal_nan=True), x, x**2), LINE),
    "allclose": (lambda x: x if np.allclose(x, 0.0, atol=5.0) else x**2, LINE),
    "array_equal": (lambda x: x if np.array_equal(x, x.copy()) else x**2, LINE),
    "array_equiv": (lambda x: x if np.array_equiv(x, x[None]) else x**2, LINE),
    "array_equal of shapes": (lambda x: x if np.array_equal(x, x[1:]) else x**2, LINE),
    "real_if_close": (lambda x: np.real_if_close(x + 0j) * x, LINE),
    "real_if_close, not": (lambda x: np.real_if_close(x + 1j).imag * x, LINE),
    "fix": (lambda x: np.fix(x) * x, LINE),
    "fix with out": (into(7, lambda x, y: np.fix(x * 3.0, out=y)), LINE),
    "divmod": (both(lambda x: np.divmod(x, 0.7)), LINE),
    "divmod of Python": (both(lambda x: divmod(x, x[0])), LINE[1:]),
    "modf": (both(np.modf), LINE),
    "modf of numbers": (lambda x: [np.modf(t)[0] for t in x], LINE),
    "modf with out": (into((2, 7), lambda x, y: np.modf(x, out=(y[0], y[1]))), LINE),
    "frexp": (both(lambda x: (np.frexp(x)[0], np.frexp(x)[1] * x)), 5.0 * LINE),
    "frexp of a number": (lambda x: np.frexp(x[2])[0], 5.0 * LINE),
    "ldexp": (lambda x: np.ldexp(x, [1, -2, 0, 3, 10, -5, 2]), LINE),
    "ldexp of frexp": (lambda x: np.ldexp(np.frexp(x)[0], 3), LINE),
    "fmod": (lambda x: np.fmod(x, 0.7), LINE),
    "fmod by x": (lambda x: np.fmod(3.3, x), LINE),
    "float_power": (lambda x: np.float_power(np.abs(x), x), LINE),
    "isreal": (lambda x: np.isreal(x + 0j * x) * x, LINE),
    "iscomplex": (lambda x: np.iscomplex(x + 1j) * x, LINE),
    "infinities": (lambda x: np.where(np.isposinf(x) | np.isneginf(x), 0.0, x), LINE),
    "apply_over_axes": (lambda x: np.apply_over_axes(np.sum, x, [0, -1]), CUBE),
    "apply_over_axes, kept": (lambda x: np.apply_over_axes(np.cumsum, x, (1,)), CUBE),
    "tril_indices_from": (lambda x: x[np.tril_indices_from(x)], TABLE),
    "triu_indices_from": (lambda x: x[np.triu_indices_from(x, 1)], TABLE),
    "diag_indices_from": (lambda x: x[:, :3][np.diag_indices_from(x[:, :3])], TABLE),
    "ix_": (lambda x: x[np.ix_(x[:, 0] > 0.5, [3, 1])] ** 2, TABLE),
    "ix_ of numbers": (lambda x: np.prod(np.broadcast_arrays(*np.ix_(x[0], [2.0, 0.5], [x[1, 1]])), axis=0), TABLE),
    "unstack": (lambda x: np.unstack(x, axis=1)[2] * x[:, 0], TABLE) if hasattr(np, "unstack") else (lambda x: x, LINE),
    "astype": (lambda x: np.astype(x, np.float64) * x, LINE),
}

ALL = {
    f"{family}: {name}": program
    for family, programs in {
        "differences": DIFFERENCES, "tables": TABLES, "polynomials": POLYNOMIALS, "norms": NORMS, "borders": BORDERS,
        "products": PRODUCTS, "choices": CHOICES,
    }.items()
    for name, program in programs.items()
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_value_and_jacobian(name: str) -> None:
    f, x = ALL[name]
    check(f, x)
    value = value_and_jacobian(f, x)[0]
    assert np.shape(value) == np.shape(f(x))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_convolutions_of_all_lengths(mode: Any, n: int, m: int) -> None:
    """Which part NumPy keeps depends on which operand is longer, and on which lengths are even."""
    v = np.arange(1.0, m + 1.0)
    for operation in (np.convolve, np.correlate):
        expected = np.stack([operation(column, v, mode) for column in np.eye(n)], axis=1)
        found = sparse_jacobian(lambda x, operation=operation: operation(x, v, mode), LINE[:n]).toarray()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("f", "x", "rows"),
    [
        (np.gradient, LINE, [2, 2, 2, 2, 2, 2, 2]),
        (lambda x: np.gradient(x, edge_order=2), LINE, [3, 2, 2, 2, 2, 2, 3]),
        (np.unwrap, 5.0 * LINE, [1] * 7),
        (lambda x: np.interp(x, KNOTS, HEIGHTS), LINE, [1] * 7),
        (lambda x: np.interp(LINE, KNOTS, x[:5]), LINE, None),
        (lambda x: np.convolve(x, [1.0, 0.0, 2.0], "valid"), LINE, [2] * 5),
        (lambda x: np.heaviside(x, 0.5), LINE, [0] * 7),
        (lambda x: np.frexp(x)[1], LINE, [0] * 7),
        (lambda x: np.modf(x)[1], LINE, [0] * 7),
        (np.fix, LINE, [0] * 7),
        (lambda x: np.linalg.norm(x, 0, axis=1), TABLE, [0] * 3),
        (lambda x: np.linalg.norm(x, axis=1), TABLE, [4] * 3),
        (lambda x: np.pad(x, (2, 1), "reflect", reflect_type="odd"), LINE, [2, 2] + [1] * 7 + [2]),
        (lambda x: np.pad(x, (2, 0), "linear_ramp"), LINE, [0, 1] + [1] * 7),
    ],
)
def test_pattern(f: Callable[[Any], Any], x: Array, rows: list[int] | None) -> None:
    """The number of entries of each row, which is that of its nonzeros off kinks."""
    pattern = jacobian_sparsity(f, x).to_scipy()
    if rows is None:
        rows = np.count_nonzero(np.abs(differences(f, x).jacobian) > 1e-9, axis=1).tolist()
    assert np.diff(pattern.indptr).tolist() == rows


def test_a_plan_of_a_constant_table_never_follows_f_again() -> None:
    """The segment of a point is no decision."""

    def f(x: Any) -> Any:
        return np.interp(x, KNOTS, HEIGHTS)

    plan = prepare(f, LINE)
    for x in (LINE, -LINE, LINE / 3.0, KNOTS.repeat(2)[:7], np.full(7, 9.0)):
        assert plan(x).nnz == 7
    slopes = np.diff(HEIGHTS) / np.diff(KNOTS)
    x = np.array([-2.0, -1.0, -0.75, -0.5, 0.3, 1.5, 1.6])
    np.testing.assert_allclose(plan(x).diagonal(), [0.0, slopes[0], slopes[0], slopes[1], slopes[2], slopes[3], 0.0])
    assert plan.num_variants == 1


def test_a_plan_of_a_traced_table_follows_f_again_in_another_segment() -> None:
    def f(x: Any) -> Any:
        return np.interp(x[5:], KNOTS, x[:5])

    plan = prepare(f, LINE)
    other = LINE + np.array([0.0, 0.0, 0.0, 0.0, 0.0, -1.9, -0.5])
    assert plan.pattern.nnz != plan(other).nnz
    np.testing.assert_allclose(plan(other).toarray(), differences(f, other).jacobian, atol=1e-9)
    assert plan.num_variants == 2


def test_values_of_a_table_are_those_of_numpy() -> None:
    """To the last bit, also at knots, outside, and for NaN."""
    x = np.concatenate([KNOTS, LINE, [np.nan, np.inf, -np.inf]])
    value = value_and_jacobian(lambda x: np.interp(x, KNOTS, HEIGHTS), x)[0]
    np.testing.assert_array_equal(value, np.interp(x, KNOTS, HEIGHTS))


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.linalg.norm, [0.0, 0.0], [[0.0, 0.0]]),
        (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [[0.0, 0.0]]),
        (lambda x: np.linalg.norm(x.reshape(2, 2), axis=1), [0.0, 0.0, 3.0, -4.0], [[0, 0, 0, 0], [0, 0, 0.6, -0.8]]),
        (lambda x: np.linalg.norm(x.reshape(1, 2)), [0.0, 0.0], [[0.0, 0.0]]),
        (lambda x: np.linalg.norm(x, 1), [0.0, 2.0], [[0.0, 1.0]]),
        (lambda x: np.linalg.norm(x, np.inf), [-2.0, 2.0], [[-0.5, 0.5]]),
        (lambda x: np.heaviside(x, x), [0.0, 1.0], [[1.0, 0.0], [0.0, 0.0]]),
        (lambda x: np.modf(x)[0], [2.0, -0.5], [[1.0, 0.0], [0.0, 1.0]]),
        (lambda x: np.modf(x)[0], [0.0, np.inf], [[1.0, 0.0], [0.0, 0.0]]),
        (lambda x: np.frexp(x)[0], [8.0, -3.0], [[0.0625, 0.0], [0.0, 0.25]]),
        (lambda x: np.fmod(x, 2.0), [0.0, -4.0], [[1.0, 0.0], [0.0, 1.0]]),
        (lambda x: np.fmod(x[0], x[1]), [-7.5, 2.0], [[1.0, 3.0]]),
        (lambda x: np.round(x), [0.5, 1.2], [[0.0, 0.0], [0.0, 0.0]]),
        (lambda x: np.select([x > 1.0], [np.sqrt(x - 1.0)], x), [0.5, 2.0], [[1.0, 0.0], [0.0, 0.5]]),
    ],
)
def test_convention(f: Callable[[Any], Any], x: list[float], expected: list[list[float]]) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(sparse_jacobian(f, np.array(x)).toarray(), expected, rtol=1e-14)


@pytest.mark.parametrize("x", [[0.0, -0.0, 2.5, -2.5, np.inf, -np.inf, np.nan, 5e-324, 1e300]])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.stack(np.modf(x)),
        lambda x: np.frexp(x)[0],
        lambda x: np.frexp(x[:4])[1] * 1.0,
        lambda x: np.ldexp(x, 3),
        lambda x: np.ldexp(x, -1060),
        lambda x: np.heaviside(x, 0.25),
        lambda x: np.fmod(x, 0.7),
        lambda x: np.fmod(3.0, x),
        lambda x: np.stack(np.divmod(x, 0.7)),
        lambda x: np.isclose(x, x, equal_nan=True) * 1.0,
        lambda x: np.isclose(x, np.inf) * 1.0,
        np.fix,
    ],
)
def test_special_values(f: Callable[[Any], Any], x: list[float]) -> None:
    with np.errstate(all="ignore"):
        expected = f(np.array(x))
    value = value_and_jacobian(f, np.array(x))[0]
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(np.signbit(value) & ~np.isnan(value), np.signbit(expected) & ~np.isnan(expected))


WITHOUT_DECISIONS = (
    *("differences: gradient on a traced grid", "differences: unwrap", "differences: trapezoid of one"),
    *("tables: interp", "tables: interp with traced ends", "tables: interp with a period", "polynomials: chebval2d"),
    *("norms: order 3", "norms: matrix 1", "norms: order inf", "borders: maximum", "products: cross"),
    *("choices: select", "choices: heaviside", "choices: divmod", "choices: modf", "choices: frexp", "choices: fmod"),
    *("choices: isclose as a mask", "choices: choose by x", "choices: ldexp of frexp"),
)


@pytest.mark.parametrize("name", WITHOUT_DECISIONS)
def test_a_plan_holds_at_other_points(name: str) -> None:
    """Bins, signs, exponents and masks of the first point are not frozen into the plan, and are no decisions."""
    f, x = ALL[name]
    plan = prepare(f, x)
    for other in (2.3 * x[::-1], x - 1.93, -0.61 * x):
        estimate = differences(f, other)
        assert (np.abs(plan(other).toarray() - estimate.jacobian) <= 1e-6 + 20 * estimate.error).all()
    assert plan.num_variants == 1


def test_decisions_are_checked() -> None:
    """A plan follows f again where a comparison comes out otherwise."""
    plan = prepare(lambda x: x if np.allclose(x, 1.0, atol=0.5) else x[:2] ** 2, np.ones(3))
    assert plan(np.ones(3) * 1.2).shape == (3, 3)
    assert plan(np.ones(3) * 2.0).toarray().tolist() == [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: np.nextafter(x, 1.0), "np.nextafter"),
        (lambda x: np.spacing(x), "np.spacing"),
        (lambda x: np.gcd(x, 2), "np.gcd"),
        (lambda x: np.left_shift(x, 2), "np.left_shift"),
        (lambda x: np.polydiv(x, [1.0, 2.0])[0], "np.polydiv"),
        (lambda x: np.poly(x[:4].reshape(2, 2)), "np.poly of a matrix"),
        (lambda x: np.ldexp(x, (x > 0).astype(int)), "np.ldexp"),
        (lambda x: np.pad(x, 1, lambda v, w, a, k: None), "np.pad with a function"),
        (lambda x: np.interp(x, [1.0, 0.0], [0.0, 1.0]), "np.interp"),
        (lambda x: np.packbits(x > 0), "np.packbits"),
        (lambda x: np.modf(x, where=x > 0)[0], "np.modf with where="),
    ],
)
def test_refusals(f: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(UntraceableError, match=words):
        sparse_jacobian(f, LINE)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.gradient(x[:1]), ValueError),
        (lambda x: np.gradient(x, GRID[:3]), ValueError),
        (lambda x: np.gradient(x, 1.0, 2.0), TypeError),
        (lambda x: np.interp(x, KNOTS, HEIGHTS[:3]), ValueError),
        (lambda x: np.convolve(x, x[:0]), ValueError),
        (lambda x: np.convolve(x, x, "most"), ValueError),
        (lambda x: np.select([x], [x]), TypeError),
        (lambda x: np.pad(x, 1, "mean", end_values=1.0), ValueError),
        (lambda x: np.pad(x, 1, "edge", reflect_type="odd"), ValueError),
        (lambda x: np.piecewise(x, [x > 0.0], [1.0, 2.0, 3.0]), ValueError),
        (lambda x: np.choose([3], [x, x]), ValueError),
        (lambda x: np.cross(x[:4], x[:4]), ValueError),
        (lambda x: np.linalg.norm(x, "fro"), ValueError),
        (lambda x: np.linalg.norm(x.reshape(1, 7), 3), ValueError),
        (lambda x: np.linalg.matrix_power(x.reshape(1, 7), 2), np.linalg.LinAlgError),
        (lambda x: np.vecdot(x, x[1:]), ValueError),
        (lambda x: np.heaviside(x * 1j, 0.5), TypeError),
    ],
)
def test_what_numpy_does_not_take(f: Callable[[Any], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        f(LINE)
    with pytest.raises(error):
        sparse_jacobian(f, LINE)


def test_einsum_path_looks_at_shapes_alone() -> None:
    def f(x: Any) -> Any:
        path, text = np.einsum_path("ij,jk,kl->il", x, TABLE.T, x, optimize="optimal")
        return np.einsum("ij,jk,kl->il", x, TABLE.T, x, optimize=path) * len(text)

    check(f, TABLE)


@pytest.mark.parametrize("options", [{}, {"nan": 5.0, "posinf": 3.0, "neginf": -4.0}, {"neginf": 7.0}, {"posinf": 7.0}])
def test_what_is_no_number_becomes_one(options: dict[str, float]) -> None:
    """The numbers put in are constants: nothing moves them."""
    x = np.array([1.5, np.inf, -np.inf, np.nan, -2.0])
    y, jacobian = value_and_jacobian(lambda x: np.nan_to_num(x, **options), x)
    np.testing.assert_array_equal(y, np.nan_to_num(x, **options))
    np.testing.assert_array_equal(jacobian.toarray(), np.diag([1.0, 0.0, 0.0, 0.0, 1.0]))
