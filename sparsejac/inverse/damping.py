"""Damped steps: a linear least-squares problem over all numbers of the state, whose matrix is sparse.

The step s minimises |J s + f(x)|² + Σ d_j s_j². J is a product of the Jacobians S_1 ... S_K of the lumps, so that the
tangents t_k = S_k t_{k-1}, with t_0 = s, are unknowns of their own, and with multipliers m_k of these equations

    d t_0 - S_1ᵀ m_1 = 0,   m_k - S_{k+1}ᵀ m_{k+1} = 0,   t_K + m_K = -f(x),   t_k - S_k t_{k-1} = 0

is a system without J and without JᵀJ. Numbers that pass a lump by are one unknown for all cuts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.inverse.inverter import Inverter, Lines

Floats = npt.NDArray[np.float64]
_SPARSE, _LINALG = Lazy("scipy.sparse"), Lazy("scipy.sparse.linalg")


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
    diagonal = np.zeros(unknowns)
    diagonal[:size] = weights
    diagonal[unknowns - size :] += 1.0
    system = _SPARSE.block_array([[_SPARSE.diags_array(diagonal), chain.T], [chain, None]], format="csc")
    right = np.zeros(unknowns + rows)
    right[unknowns - size : unknowns] = -value
    found: Floats = _LINALG.splu(system).solve(right)
    return found[:size]
