"""Dense Jacobians and Hessians, for small problems and for comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.options import BackendName
from sparsejac.products.followed import followed
from sparsejac.products.linearization import Linearization
from sparsejac.products.nested import inner
from sparsejac.structure import Structure, leaves_of, offsets_of, unflatten

Floats = npt.NDArray[np.float64]

SEEDS = 64
"""Unit vectors that are carried at once."""


def jacfwd(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> Any:
    """The Jacobian of f at x as a dense array, by pushing all unit vectors forward.

    Parameters
    ----------
    f, x, args, kwargs, argnums, has_aux, backend
        See `sparse_jacobian`, which is the better choice wherever the Jacobian has zeros.

    Returns
    -------
    array, shape (*shape of the result, *shape of x)
        Where x or the result is several arrays: the structure of the result, in each place the structure of x. With
        `has_aux`, a pair: this, and what f returned beside its result.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import jacfwd
    >>> jacfwd(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0]))
    array([[2., 1., 0.],
           [0., 3., 2.]])
    """
    found, aux = _jacobian("jacfwd", f, (x, *args), kwargs, argnums, backend, has_aux=has_aux, forward=True)
    return (found, aux) if has_aux else found


def jacrev(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> Any:
    """The Jacobian of f at x as a dense array, by pulling all unit vectors back.

    Parameters
    ----------
    f, x, args, kwargs, argnums, has_aux, backend
        See `sparse_jacobian`, which is the better choice wherever the Jacobian has zeros.

    Returns
    -------
    array, shape (*shape of the result, *shape of x)
        As of `jacfwd`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import jacrev
    >>> jacrev(lambda x: np.sum(x**2), np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """
    found, aux = _jacobian("jacrev", f, (x, *args), kwargs, argnums, backend, has_aux=has_aux, forward=False)
    return (found, aux) if has_aux else found


def blocks_of(matrix: Floats, result: Structure, inputs: Structure) -> Any:
    """A dense matrix cut into an array for each array of the result and each array of x."""
    rows, columns = list(pairwise(offsets_of(result))), list(pairwise(offsets_of(inputs)))
    cut = (
        unflatten(
            inputs,
            (
                np.ascontiguousarray(matrix[a:b, c:d]).reshape((*y.shape, *x.shape))[()]
                for x, (c, d) in zip(leaves_of(inputs), columns, strict=True)
            ),
        )
        for y, (a, b) in zip(leaves_of(result), rows, strict=True)
    )
    return unflatten(result, cut)


def _jacobian(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    backend: BackendName,
    *,
    has_aux: bool,
    forward: bool,
) -> tuple[Any, Any]:
    """The Jacobian, and what f returned beside its result."""
    nested = inner(call, f, args, kwargs, argnums, has_aux=has_aux)
    if nested is not None:
        return nested.dense(forward=forward), nested.aux
    point = followed(call, f, args, kwargs, argnums, backend, has_aux=has_aux)
    lin = Linearization(point)
    return blocks_of(_columns(lin) if forward else _rows(lin), point.result, point.inputs), lin.aux


def _columns(lin: Linearization) -> Floats:
    rows, columns = lin.shape
    return _by_units(columns, rows, lin.push)


def _rows(lin: Linearization) -> Floats:
    rows, columns = lin.shape
    return _by_units(rows, columns, lin.pull).T


def _by_units(units: int, size: int, product: Callable[[Floats, int], Floats]) -> Floats:
    """The products with all unit vectors, as columns; the last ones are filled up with zeros."""
    width = min(units, SEEDS)
    matrix = np.empty((size, units))
    for start in range(0, units, width or 1):
        seeds = np.eye(units, width, -start)
        found = product(seeds.reshape(-1), width).reshape(size, width)
        matrix[:, start : start + width] = found[:, : units - start]
    return matrix
