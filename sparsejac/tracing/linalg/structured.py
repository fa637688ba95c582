"""Matrices that SciPy puts together from the elements of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.base import plain
from sparsejac.tracing.linalg.operators import operand, scipy_linalg
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace


def arranged(arrays: list[Any], arrange: Callable[..., Any]) -> Any:
    """What a function that only moves elements makes of arrays: it is asked where the elements go.

    Places are counted from one; where the function puts a zero, there is a zero.
    """
    starts = np.cumsum([1] + [a.size for a in arrays])
    places = [np.arange(s, s + a.size).reshape(a.shape) for s, a in zip(starts, arrays, strict=False)]
    return np.concatenate([np.zeros(1), *(np.ravel(a) for a in arrays)])[np.asarray(arrange(*places))]


def toeplitz_of(column: Any, row: Any = None) -> Any:
    """The Toeplitz matrix with a first column and a first row, the conjugated column by default."""
    further = np.conj(column) if row is None else row
    places = np.arange(len(column))[:, None] - np.arange(len(further))
    return np.concatenate([column, further[:0:-1]])[places]


@follows("scipy.linalg", "block_diag")
def _block_diag(trace: Trace, *arrs: Any) -> Any:
    return arranged([operand(trace, a) for a in arrs], scipy_linalg.block_diag)


@follows("scipy.linalg", "circulant")
def _circulant(trace: Trace, c: Any) -> Any:
    return arranged([operand(trace, c)], scipy_linalg.circulant)


@follows("scipy.linalg", "toeplitz")
def _toeplitz(trace: Trace, c: Any, r: Any = None) -> Any:
    vectors = [operand(trace, c).ravel()] + ([] if r is None else [operand(trace, r).ravel()])
    return toeplitz_of(*vectors)


@follows("scipy.linalg", "hankel")
def _hankel(trace: Trace, c: Any, r: Any = None) -> Any:
    vectors = [operand(trace, v).ravel() for v in (c, r) if v is not None]
    return arranged(vectors, scipy_linalg.hankel)


@follows("scipy.linalg", "convolution_matrix")
def _convolution_matrix(trace: Trace, a: Any, n: Any, mode: Any = "full") -> Any:
    count = plain(n)
    return arranged([operand(trace, a)], lambda p: scipy_linalg.convolution_matrix(p, count, mode))


@follows("scipy.linalg", "leslie")
def _leslie(trace: Trace, f: Any, s: Any) -> Any:
    return arranged([operand(trace, f), operand(trace, s)], scipy_linalg.leslie)


@follows("scipy.linalg", "diagsvd")
def _diagsvd(trace: Trace, s: Any, M: Any, N: Any) -> Any:
    size = plain(M), plain(N)
    return arranged([operand(trace, s)], lambda p: scipy_linalg.diagsvd(p, *size))


@follows("scipy.linalg", "companion")
def _companion(trace: Trace, a: Any) -> Any:
    coefficients = operand(trace, a)
    if coefficients.ndim != 1 or coefficients.size < 2:
        raise ValueError("The length of `a` must be at least 2, and it must be one-dimensional.")
    size = coefficients.size - 1
    first = -coefficients[1:] / coefficients[0]
    return np.concatenate([first[None, :], np.eye(size)[: size - 1]])


@follows("scipy.linalg", "fiedler")
def _fiedler(trace: Trace, a: Any) -> Any:
    row = operand(trace, a)
    if row.ndim != 1:
        raise ValueError("Input 'a' must be a 1D array.")
    return np.abs(row[:, None] - row)


@follows("scipy.linalg", "khatri_rao")
def _khatri_rao(trace: Trace, a: Any, b: Any) -> Any:
    left, right = operand(trace, a), operand(trace, b)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError("The number of columns for both arrays should be equal, and both should be two-dimensional.")
    return (left[:, None, :] * right[None, :, :]).reshape(-1, left.shape[1])


@follows("scipy.linalg", "kron")
def _kron(trace: Trace, a: Any, b: Any) -> Any:
    return np.kron(operand(trace, a), operand(trace, b))
