"""SciPy's solvers of dense, triangular, banded and structured systems, and its inverses and determinants."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kernels.records import dataclass
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import derived
from sparsejac.tracing.linalg import solving
from sparsejac.tracing.linalg.factorizations import ONE_TRIANGLE, triangular_inverse
from sparsejac.tracing.linalg.operators import (
    adjoint,
    check_size,
    hermitian,
    inverse,
    is_complex,
    operand,
    result,
    scipy_linalg,
    transpose,
    triangle,
)
from sparsejac.tracing.linalg.structured import toeplitz_of
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace

_SYMMETRIC = {"sym": "symmetric", "symmetric": "symmetric"}
_HERMITIAN = ("her", "hermitian", "pos", "positive definite")
_DENSE = (None, "gen", "general", "banded")


def _call(name: str, **options: Any) -> Any:
    """A function of scipy.linalg with options."""
    return lambda *arrays: getattr(scipy_linalg, name)(*arrays, **options)


def _read(trace: Trace, a: Any, assume_a: Any, lower: bool) -> Any:
    """The matrix that SciPy's solver reads out of an array."""
    if assume_a in _DENSE:
        return a
    if assume_a in _HERMITIAN:
        return hermitian(a, lower)
    if assume_a in _SYMMETRIC:
        return triangle(a, lower) + transpose(triangle(a, lower, strict=True))
    width = {"diagonal": 0, "tridiagonal": 1}.get(assume_a)
    if width is not None:
        return np.triu(np.tril(a, width), -width)
    if assume_a in ("upper triangular", "lower triangular"):
        return triangle(a, assume_a == "lower triangular")
    raise trace.refusal(f"scipy.linalg with assume_a={assume_a!r}", "there is no rule for it", "leave it out")


@follows("scipy.linalg", "solve", convention="of what is computed: entries that assume_a leaves unread have no entry")
def _solve(
    trace: Trace, a: Any, b: Any, lower: Any = False, overwrite_a: Any = False, overwrite_b: Any = False,
    check_finite: Any = True, assume_a: Any = None, transposed: Any = False,
) -> Any:  # fmt: skip
    a, b = operand(trace, a), operand(trace, b)
    options = {"lower": bool(plain(lower)), "assume_a": assume_a, "transposed": bool(plain(transposed))}
    options = {name: option for name, option in options.items() if option not in (None, False)}
    key = tuple(sorted(options.items()))
    again = partial(_solve, **options)
    found = result(trace, "scipy.linalg.solve", _call("solve", **options), a, b, key=key, again=again)
    matrix = _read(trace, a, assume_a, bool(plain(lower)))
    if plain(transposed):
        matrix = transpose(matrix)
    return solving.solved(trace, "scipy.linalg.solve", found, matrix, b, inverse(trace, matrix))


@follows("scipy.linalg", "solve_triangular", convention=ONE_TRIANGLE)
def _solve_triangular(
    trace: Trace, a: Any, b: Any, trans: Any = 0, lower: Any = False, unit_diagonal: Any = False,
    overwrite_b: Any = False, check_finite: Any = True,
) -> Any:  # fmt: skip
    a, b = operand(trace, a), operand(trace, b)
    way = {"N": 0, "T": 1, "C": 2}.get(plain(trans), plain(trans))
    below, unit = bool(plain(lower)), bool(plain(unit_diagonal))
    call = _call("solve_triangular", trans=way, lower=below, unit_diagonal=unit)
    again = partial(_solve_triangular, trans=way, lower=below, unit_diagonal=unit)
    found = result(trace, "scipy.linalg.solve_triangular", call, a, b, key=(way, below, unit), again=again)
    matrix = triangle(a, below, strict=unit) + (np.eye(a.shape[-1]) if unit else 0.0)
    matrix = (matrix, transpose(matrix), adjoint(matrix))[way]
    operator = triangular_inverse(trace, matrix, below == (way == 0))
    return solving.solved(trace, "scipy.linalg.solve_triangular", found, matrix, b, operator)


@follows("scipy.linalg", "solve_banded", convention="corners of the diagonals that are not read have no entry")
def _solve_banded(
    trace: Trace, l_and_u: Any, ab: Any, b: Any, overwrite_ab: Any = False, overwrite_b: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    low, up = (int(plain(width)) for width in l_and_u)
    diagonals, right = operand(trace, ab), operand(trace, b)
    call = lambda m, r: scipy_linalg.solve_banded((low, up), m, r)  # noqa: E731
    again = lambda trace, m, r: _solve_banded(trace, (low, up), m, r)  # noqa: E731
    found = result(trace, "scipy.linalg.solve_banded", call, diagonals, right, key=(low, up), again=again)
    offsets = {up - k: diagonals[k] for k in range(low + up + 1)}
    how = _Banded("scipy.linalg.solve_banded", call, (low, up), again)
    return _solved_banded(trace, how, found, offsets, diagonals, right)


@follows("scipy.linalg", "solveh_banded", convention="corners of the diagonals that are not read have no entry")
def _solveh_banded(
    trace: Trace, ab: Any, b: Any, overwrite_ab: Any = False, overwrite_b: Any = False, lower: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    diagonals, right, below = operand(trace, ab), operand(trace, b), bool(plain(lower))
    call = _call("solveh_banded", lower=below)
    again = partial(_solveh_banded, lower=below)
    found = result(trace, "scipy.linalg.solveh_banded", call, diagonals, right, key=(below,), again=again)
    offsets: dict[int, Any] = {}
    for row in range(len(diagonals)):
        width = row if below else len(diagonals) - 1 - row
        entries = np.real(diagonals[row]) if width == 0 and is_complex(diagonals) else diagonals[row]
        # The same numbers stand on both sides of the diagonal, one place further along the row on the other.
        offsets[-width if below else width] = entries
        if width:
            other = np.concatenate([entries[width:], entries[:width]]) if not below else _shifted(entries, width)
            offsets[width if below else -width] = np.conj(other) if is_complex(diagonals) else other
    how = _Banded("scipy.linalg.solveh_banded", call, (below,), again)
    return _solved_banded(trace, how, found, offsets, diagonals, right)


def _shifted(entries: Any, width: int) -> Any:
    size = len(entries)
    return np.concatenate([entries[size - width :], entries[: size - width]])


@dataclass(frozen=True)
class _Banded:
    """A banded solver: its name, its call on numbers, what tells it from others, and its rule."""

    name: str
    call: Any
    key: tuple[object, ...]
    follow: Any


def _solved_banded(trace: Trace, how: _Banded, found: Any, offsets: dict[int, Any], diagonals: Any, right: Any) -> Any:
    """The solution of a banded system; `offsets` holds for each diagonal its numbers, by the column they stand in."""
    size = right.shape[0]
    columns = 1 if right.ndim == 1 else right.shape[1]
    check_size(trace, how.name, size, size, columns)
    inverse, again = (lambda m: how.call(m, np.eye(size))), (lambda trace, m: how.follow(trace, m, np.eye(size)))
    operator = result(trace, f"inverse by {how.name}", inverse, diagonals, key=how.key, again=again)
    unknown, residual = (part[:, None] if part.ndim == 1 else part for part in (found, right))
    if not all_plain(diagonals):
        for offset, entries in offsets.items():
            first, last = max(offset, 0), min(size + offset, size)
            if first >= last:
                continue
            terms = entries[first:last, None] * unknown[first:last]
            above, below = np.zeros((first - offset, columns)), np.zeros((size - last + offset, columns))
            residual = residual - np.concatenate([above, terms, below])
    return derived(trace, found, (operator @ residual).reshape(found.shape))


@follows("scipy.linalg", "solve_toeplitz")
def _solve_toeplitz(trace: Trace, c_or_cr: Any, b: Any, check_finite: Any = True) -> Any:
    given_row = isinstance(c_or_cr, tuple)
    vectors = tuple(operand(trace, v) for v in (c_or_cr if given_row else (c_or_cr,)))
    right = operand(trace, b)

    def call(*arrays: Any) -> Any:
        return scipy_linalg.solve_toeplitz(arrays[:-1] if given_row else arrays[0], arrays[-1])

    def again(trace: Trace, *arrays: Any) -> Any:
        return _solve_toeplitz(trace, arrays[:-1] if given_row else arrays[0], arrays[-1])

    found = result(trace, "scipy.linalg.solve_toeplitz", call, *vectors, right, key=(given_row,), again=again)
    matrix = toeplitz_of(*vectors)
    return solving.solved(trace, "scipy.linalg.solve_toeplitz", found, matrix, right, inverse(trace, matrix))


@follows("scipy.linalg", "solve_circulant")
def _solve_circulant(
    trace: Trace, c: Any, b: Any, singular: Any = "raise", tol: Any = None, caxis: Any = -1, baxis: Any = 0,
    outaxis: Any = 0,
) -> Any:  # fmt: skip
    column, right = operand(trace, c), operand(trace, b)
    if column.ndim != 1 or right.ndim > 2 or (baxis, outaxis) != (0, 0) or singular != "raise":
        raise trace.refusal(
            "scipy.linalg.solve_circulant of several systems at once, or with singular='lstsq'",
            "there is no rule for it",
            "use scipy.linalg.solve with scipy.linalg.circulant(c)",
        )
    cut = plain(tol)
    call, again = _call("solve_circulant", tol=cut), partial(_solve_circulant, tol=cut)
    found = result(trace, "scipy.linalg.solve_circulant", call, column, right, key=(cut,), again=again)
    size = len(column)
    matrix = column[(np.arange(size)[:, None] - np.arange(size)) % max(size, 1)]
    return solving.solved(trace, "scipy.linalg.solve_circulant", found, matrix, right, inverse(trace, matrix))


@follows("scipy.linalg", "inv", convention="of what is computed: entries that assume_a leaves unread have no entry")
def _inv(
    trace: Trace, a: Any, overwrite_a: Any = False, check_finite: Any = True, *, assume_a: Any = None,
    lower: Any = False,
) -> Any:  # fmt: skip
    a = operand(trace, a)
    options = {} if assume_a is None else {"assume_a": assume_a, "lower": bool(plain(lower))}
    call, again = _call("inv", **options), partial(_inv, **options)
    found = result(trace, "scipy.linalg.inv", call, a, key=tuple(options.values()), again=again)
    check_size(trace, "scipy.linalg.inv", *a.shape, a.shape[-1])
    return derived(trace, found, -found @ (_read(trace, a, assume_a, bool(plain(lower))) @ found))


@follows("scipy.linalg", "det", convention="the cofactors, also where the matrix is singular")
def _det(trace: Trace, a: Any, overwrite_a: Any = False, check_finite: Any = True) -> Any:
    a = operand(trace, a)
    found = result(trace, "scipy.linalg.det", _call("det"), a)
    return derived(trace, found, np.linalg.det(a))
