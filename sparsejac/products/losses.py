"""The Hessian of a loss, in the ways in which it may be given: what stands between J and its transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from sparsejac.arguments import as_leaf
from sparsejac.errors import InputError
from sparsejac.location import user_location
from sparsejac.tracing.base import owner
from sparsejac.tracing.conversion import as_array

Floats = npt.NDArray[np.float64]


def checked_loss(rows: int, loss_hessian: Any) -> Callable[[Any], Any] | None:
    """What multiplies by the Hessian of a loss of so many results.

    Parameters
    ----------
    rows : int
    loss_hessian : array, sparse matrix, LinearOperator or callable, optional
        See `Linearization.jtj`.

    Raises
    ------
    InputError
        If it has another shape.
    """
    if loss_hessian is None or (callable(loss_hessian) and not hasattr(loss_hessian, "shape")):
        return loss_hessian  # type: ignore[no-any-return]
    is_array = not issparse(loss_hessian) and (
        isinstance(loss_hessian, np.ndarray)
        or owner(loss_hessian) is not None
        or not hasattr(loss_hessian, "__matmul__")
    )
    matrix: Any = _as_array(loss_hessian) if is_array else loss_hessian
    if matrix.shape == (rows,):
        diagonal = matrix if is_array else np.ravel(matrix.toarray())
        return lambda a: (diagonal * a.T).T
    if matrix.shape == (rows, rows):
        return lambda a: matrix @ a
    raise InputError(
        f"jtj: loss_hessian has shape {matrix.shape}, and f has {rows} results\n  {user_location()}\n  Cure: pass "
        f"its diagonal, of shape ({rows},), or a matrix of shape ({rows}, {rows})."
    )


def check_product(shape: tuple[int, ...], given: tuple[int, ...]) -> None:
    """Refuse what a function gave in the place of a product."""
    if given != shape:
        raise InputError(
            f"jtj: loss_hessian gave an array of shape {given} for one of shape {shape}\n  {user_location()}\n  "
            "Cure: return its product with that array."
        )


def _as_array(loss_hessian: Any) -> Floats:
    """The Hessian of a loss that is given by its numbers, which inside another function may depend on its unknowns."""
    trace = owner(loss_hessian)
    if trace is not None:
        return as_array(trace, loss_hessian)  # type: ignore[return-value]
    if type(loss_hessian) is np.ndarray and loss_hessian.dtype == np.float64:
        return loss_hessian
    leaf, numbers = as_leaf("jtj", "loss_hessian", loss_hessian)
    return numbers.reshape(leaf.shape)
