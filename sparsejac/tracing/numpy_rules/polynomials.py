"""Polynomials by their coefficients, and convolution, which is how they are multiplied."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from kernels.lazy import Lazy
from sparsejac.tracing.base import all_plain
from sparsejac.tracing.conversion import as_array, settled
from sparsejac.tracing.registry import DOUBLE, original, refuses, traces
from sparsejac.tracing.trace import Trace

SPECTRAL = Lazy("sparsejac.tracing.linalg.spectral")  # eigenvalues stand above the rules of NumPy's functions

_SHORT = 24
"""Up to that many elements the shorter operand is slid over the longer one in slices of the whole array."""
_MODES = {0: "valid", 1: "same", 2: "full"}


@traces(np.convolve)
def _convolve(trace: Trace, a: Any, v: Any, mode: Any = "full") -> Any:
    first, second = (np.atleast_1d(as_array(trace, operand)) for operand in (a, v))
    if not len(first) or not len(second):
        raise ValueError(f"{'av'[bool(len(first))]} cannot be empty")
    if len(second) > len(first):
        first, second = second, first
    return convolved(first, second, _mode(mode))


@traces(np.correlate)
def _correlate(trace: Trace, a: Any, v: Any, mode: Any = "valid") -> Any:
    first, second = (np.atleast_1d(as_array(trace, operand)) for operand in (a, v))
    if not len(first) or not len(second):
        raise ValueError(
            "first array argument cannot be empty" if len(second) else "second array argument cannot be empty"
        )
    reverse = np.conjugate(second[::-1])
    if len(first) >= len(second):
        return convolved(first, reverse, _mode(mode))
    # NumPy exchanges the operands and turns the result around, which moves the middle of an even length.
    return convolved(second[::-1].conj(), first, _mode(mode), turned=True)


def _mode(mode: Any) -> str:
    name = _MODES.get(mode, mode)
    if name not in _MODES.values():
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    return str(name)


def convolved(long: Any, short: Any, mode: str, turned: bool = False) -> Any:
    """The convolution; `long` has at least as many elements as `short`. `turned`: 'same' is centred from the end."""
    n, m = len(long), len(short)
    if long.ndim != 1 or short.ndim != 1:
        raise ValueError("object too deep for desired array")
    full = n + m - 1
    start, count = {"full": (0, full), "same": ((m - 1) // 2, n), "valid": (m - 1, n - m + 1)}[mode]
    if turned:
        start = full - start - count
    if m > _SHORT:
        return _by_pairs(long, short)[start : start + count]
    zeros = np.zeros(m - 1)
    padded = np.concatenate([zeros, long, zeros])[start : start + count + m - 1]
    total: Any = None
    for k in range(m):
        weight = short[m - 1 - k]
        if all_plain(weight) and weight == 0.0:
            continue  # out of the pattern as well
        term = padded[k : k + count] * weight
        total = term if total is None else total + term
    return padded[:count] * 0.0 if total is None else total


def _by_pairs(long: Any, short: Any) -> Any:
    """All products, each added to its place."""
    chosen = np.arange(len(short))
    if all_plain(short):
        chosen = np.flatnonzero(np.asarray(short))
    i, j = (grid.reshape(-1) for grid in np.meshgrid(np.arange(len(long)), chosen, indexing="ij"))
    products = long[i] * short[j]
    places = i + j
    order = np.argsort(places, kind="stable")
    filled, starts = np.unique(places[order], return_index=True)
    result = as_array(products.tracer, np.zeros(len(long) + len(short) - 1, products.dtype))
    result[filled] = np.add.reduceat(products[order], starts)
    return result


@traces(np.polyval)
def _polyval(trace: Trace, p: Any, x: Any) -> Any:
    if isinstance(x, np.poly1d):
        raise trace.refusal(
            "np.polyval at a polynomial", "there is no rule for it", "compose the two functions yourself"
        )
    points = x if np.ndim(x) == 0 else as_array(trace, x)
    value = points * 0
    for coefficient in as_array(trace, p.coeffs if isinstance(p, np.poly1d) else p):
        value = value * points + coefficient
    return value


@traces(np.polyadd)
def _polyadd(trace: Trace, a1: Any, a2: Any) -> Any:
    first, second = _aligned(trace, a1, a2)
    return first + second


@traces(np.polysub)
def _polysub(trace: Trace, a1: Any, a2: Any) -> Any:
    first, second = _aligned(trace, a1, a2)
    return first - second


def _aligned(trace: Trace, a1: Any, a2: Any) -> list[Any]:
    """Coefficients of two polynomials with leading zeros to the same length."""
    both = [_coefficients(trace, a) for a in (a1, a2)]
    longest = max(len(a) for a in both)
    return [a if len(a) == longest else np.concatenate([np.zeros(longest - len(a)), a]) for a in both]


def _coefficients(trace: Trace, a: Any) -> Any:
    return np.atleast_1d(as_array(trace, a.coeffs if isinstance(a, np.poly1d) else a))


@traces(np.polymul)
def _polymul(trace: Trace, a1: Any, a2: Any) -> Any:
    return np.convolve(*(_trimmed(_coefficients(trace, a)) for a in (a1, a2)))


def _trimmed(coefficients: Any) -> Any:
    """Without leading zeros, as in np.poly1d: whether a coefficient is zero is a decision."""
    last = len(coefficients) - 1
    return coefficients[next((k for k in range(last) if coefficients[k] != 0), last) :]


@traces(np.polyder)
def _polyder(trace: Trace, p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    coefficients: Any = _coefficients(trace, p)
    for _ in range(m):
        coefficients = coefficients[:-1] * np.arange(len(coefficients) - 1, 0, -1)
    return coefficients


@traces(np.polyint)
def _polyint(trace: Trace, p: Any, m: int = 1, k: Any = None) -> Any:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.atleast_1d(as_array(trace, np.zeros(1) if k is None else k))
    if len(constants) == 1 and m > 1:
        constants = np.broadcast_to(constants, (m,))
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    coefficients: Any = _coefficients(trace, p)
    for step in range(m):
        divided = coefficients / np.arange(len(coefficients), 0, -1)
        coefficients = np.concatenate([divided, constants[step : step + 1]])
    return coefficients


@traces(np.poly)
def _poly(trace: Trace, seq_of_zeros: Any) -> Any:
    zeros = np.atleast_1d(as_array(trace, seq_of_zeros))
    if zeros.ndim != 1:
        raise trace.refusal("np.poly of a matrix", "it goes through the eigenvalues", "give the zeros")
    coefficients: Any = as_array(trace, np.ones(1))
    for zero in zeros:
        coefficients = np.convolve(coefficients, np.stack([np.ones_like(zero), -zero]))
    return coefficients if len(zeros) else 1.0


@traces(np.vander)
def _vander(trace: Trace, x: Any, N: int | None = None, increasing: bool = False) -> Any:
    points = as_array(trace, x)
    if points.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = len(points) if N is None else N
    columns = [np.ones_like(points)]
    for _ in range(1, count):
        columns.append(columns[-1] * points)
    matrix = np.stack(columns, axis=1)[:, :count]
    return matrix if increasing else matrix[:, ::-1]


@traces(np.polyfit)
def _polyfit(
    trace: Trace, x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    if full or cov:
        raise trace.refusal("np.polyfit with full= or cov=", "there is no rule for it", "use np.linalg.lstsq")
    points, heights = as_array(trace, x) * 1.0, as_array(trace, y) * 1.0
    if points.ndim != 1 or not len(points) or heights.ndim not in (1, 2) or len(points) != len(heights):
        raise TypeError("expected x and y to have same length")
    matrix = np.vander(points, index(deg) + 1)
    if w is not None:
        weights = as_array(trace, w) * 1.0
        matrix, heights = matrix * weights[:, np.newaxis], (heights.T * weights).T
    scale = np.sqrt(np.sum(np.square(matrix), axis=0))
    tolerance = len(points) * np.finfo(np.float64).eps if rcond is None else rcond
    coefficients = np.linalg.lstsq(matrix / scale, heights, tolerance)[0]
    return (coefficients.T / scale).T


DOUBLE.add(original(np.vander))
refuses(
    np.polydiv,
    why="how many coefficients the remainder has depends on their values",
    cure="write the division for the degree that you have",
)


@traces(np.roots, convention="NaN where roots coincide; leading and trailing zeros of the coefficients are a decision")
def _roots(trace: Trace, p: Any) -> Any:
    """Eigenvalues of the companion matrix, as NumPy computes them."""
    p = np.atleast_1d(as_array(trace, p))
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    places = np.flatnonzero(np.asarray(settled(trace, p != 0)))
    if not places.size:
        return np.zeros(0)
    at_zero = np.zeros(len(p) - places[-1] - 1)
    p = p[places[0] : places[-1] + 1]
    if len(p) < 2:
        return at_zero
    companion = np.concatenate([(-p[1:] / p[0])[None], np.eye(len(p) - 2, len(p) - 1)])
    # Real where all are, also where those of np.linalg.eigvals are not.
    found = SPECTRAL.eig_derived(trace, "np.roots", companion, only_values=np.linalg.eigvals)[0]
    return np.concatenate([found, at_zero])
