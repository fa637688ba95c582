"""Dense solvers of `emulated_cupy`, by SciPy behind the device's face, with the habits of CuPy's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.linalg as host

from emulated_arrays import computed, ndarray
from emulated_machine import allocated, counts, launch


def lu_factor(a: ndarray, overwrite_a: bool = False, check_finite: bool = True) -> tuple[ndarray, ndarray]:
    """LU with partial pivoting, column after column; waits for one word, and warns of a pivot that is zero."""
    assert isinstance(a, ndarray)
    assert a.ndim == 2
    counts.synchronisations += 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the host's function, which has its own words
        factors, swaps = host.lu_factor(np.asfortranarray(a.memory), check_finite=False)
    launch(lambda: None)
    if not factors.diagonal().all():
        warnings.warn("Diagonal number is exactly zero. Singular matrix.", RuntimeWarning, stacklevel=2)
    return ndarray(memory=allocated(factors)), ndarray(memory=allocated(swaps.astype(np.intc)))


def lu_solve(pair: Any, b: ndarray, trans: int = 0, check_finite: bool = True, **options: Any) -> ndarray:
    """Substitute; columns of the result stand side by side in memory."""
    factors, swaps = pair
    counts.synchronisations += 1
    solved = lambda f, s, v: np.asfortranarray(host.lu_solve((f, s), v, trans=trans, check_finite=False))  # noqa: E731
    return computed(solved, factors, swaps, b)


def solve_triangular(a: ndarray, b: ndarray, trans: int = 0, lower: bool = False, **options: Any) -> ndarray:
    """Substitute; columns of the result stand side by side in memory."""
    return computed(
        lambda m, v: np.asfortranarray(host.solve_triangular(m, v, trans=trans, lower=lower, check_finite=False)), a, b
    )
