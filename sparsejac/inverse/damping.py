"""Damped steps: a linear least-squares problem over all numbers of the state, whose matrix is sparse.

The step s minimises |J s + f(x)|² + Σ d_j s_j². J is a product of the Jacobians S_1 ... S_K of the lumps, so that the
tangents t_k = S_k t_{k-1}, with t_0 = s, are unknowns of their own, and with multipliers m_k of these equations

    d t_0 - S_1ᵀ m_1 = 0,   m_k - S_{k+1}ᵀ m_{k+1} = 0,   t_K + m_K = -f(x),   t_k - S_k t_{k-1} = 0

is a system without J and without JᵀJ. A running sum has the equation t_k - N t_k - S_k t_{k-1} = 0, where N takes each
number to the one before it. Numbers that pass a lump by are one unknown for all cuts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.inverse.inverter import Inverter, Lines
from sparsejac.inverse.solvers.differences import Differences

Floats = npt.NDArray[np.float64]
_SPARSE, _LINALG = Lazy("scipy.sparse"), Lazy("scipy.sparse.linalg")

_EPS = float(np.finfo(np.float64).eps)
_CANCELLED = 100 * _EPS
"""What a pivot is, relative to the terms that it is the sum of, where it is little but their rounding."""

_DIGITS = 1e-2
"""How much of a step rounding of the numbers of the system may change."""

_REFINEMENTS, _PROBES = 2, 3


class UndeterminedError(Exception):
    """J is singular, to rounding, in directions that are not damped, or hardly."""


def damped_step(inverter: Inverter, lines: Lines, value: Floats, weights: Floats) -> Floats:
    """The step that minimises the damped linear model.

    Parameters
    ----------
    inverter : Inverter
    lines : Lines
        The local Jacobians of its lumps.
    value : array, shape (n,)
        f(x), which is added to J s.
    weights : array, shape (n,)
        What the square of each component of the step is multiplied by.

    Raises
    ------
    UndeterminedError
        If no digit of the step is right.

    References
    ----------
    Levenberg: A method for the solution of certain non-linear problems in least squares, 1944; Björck: Numerical
    Methods for Least Squares Problems, 1996, section 2.5, on augmented systems.
    """
    size, pattern = inverter.size, inverter.engine.pattern
    if size == 0:
        return np.zeros(0)
    rows = pattern.shape[0]  # of x and of all lumps but the last there are pattern.shape[1] numbers
    local = _SPARSE.csr_array((lines.data, pattern.indices, pattern.indptr), shape=pattern.shape)
    unknowns = size + rows
    chain = _SPARSE.hstack([-local, _SPARSE.csr_array((rows, unknowns - pattern.shape[1]))]).tocsr()
    chain = chain + _SPARSE.csr_array(
        (np.ones(rows), (np.arange(rows), size + np.arange(rows))), shape=(rows, unknowns)
    )
    chain = chain - _sums_before(inverter, chain.shape)
    diagonal = np.zeros(unknowns)
    diagonal[:size] = weights
    diagonal[unknowns - size :] += 1.0
    system = _SPARSE.block_array([[_SPARSE.diags_array(diagonal), chain.T], [chain, None]], format="csc")
    right = np.zeros(unknowns + rows)
    right[unknowns - size : unknowns] = -value
    return _solved(system, right, size)


def _sums_before(inverter: Inverter, shape: tuple[int, int]) -> Any:
    """What running sums add to their terms, of which alone their local Jacobians know."""
    stages = () if inverter.stages is None else inverter.stages.stages
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for stage in stages:
        if isinstance(stage.form, Differences):
            rows.append(stage.row + stage.form.later)
            columns.append(inverter.size + stage.row + stage.form.earlier)
    places = np.concatenate(rows), np.concatenate(columns)
    return _SPARSE.csr_array((np.ones(len(places[0])), places), shape=shape)


def _solved(system: Any, right: Floats, size: int) -> Floats:
    """The first `size` numbers of a solution, refined, unless they are what rounding makes of them.

    A pivot may not be the rounding of what cancels, and random changes of the numbers of the system, by rounding and
    by what the solution leaves of the equations, may change the numbers asked for by little.

    References
    ----------
    Higham: Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, sections 7.2, 9.3 and 12.1; Kenney & Laub:
    Small-sample statistical condition estimates for general matrix functions, SIAM J. Sci. Comput. 15, 1994.
    """
    factor = _factored(system)
    found: Floats = factor.solve(right)
    first = found[:size].copy()
    for _ in range(_REFINEMENTS):
        found += factor.solve(right - system @ found)
    step = found[:size]
    if not np.isfinite(right).all():  # f(x) is no number, and neither is the step
        return step
    changes = np.abs(right - system @ found) + _EPS * (abs(system) @ np.abs(found) + np.abs(right))
    probes = np.random.default_rng(0).standard_normal((len(right), _PROBES))
    spread = np.abs(factor.solve(changes[:, None] * probes)[:size]).max(initial=np.abs(step - first).max())
    if _has_cancelled(factor) or not spread <= _DIGITS * np.abs(step).max():
        raise UndeterminedError
    return step


def _factored(system: Any) -> Any:
    try:
        return _LINALG.splu(system)
    except RuntimeError as error:
        if "singular" not in str(error):
            raise
        raise UndeterminedError from None


def _has_cancelled(factor: Any) -> bool:
    """Whether a pivot of a factorization is little but rounding."""
    lower, upper = abs(factor.L), abs(factor.U)
    terms = lower.multiply(upper.T).sum(axis=1)
    return bool((upper.diagonal() <= _CANCELLED * np.ravel(terms)).any())
