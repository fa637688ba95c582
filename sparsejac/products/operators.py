"""Derivatives as SciPy's LinearOperators: for `lsmr`, `cg`, `gmres`, `least_squares` and whoever asks for products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.arguments import check_unmasked
from sparsejac.errors import InputTypeError
from sparsejac.location import user_location
from sparsejac.options import BackendName
from sparsejac.plan import kept_arguments
from sparsejac.products.evaluation import gradient_once
from sparsejac.products.followed import followed
from sparsejac.products.linearization import Linearization
from sparsejac.products.losses import checked_loss
from sparsejac.residence import reaches_device

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator
else:  # for `typing.get_type_hints`, which must not need what is loaded late
    LinearOperator = Any

Floats = npt.NDArray[np.float64]
_LINALG = Lazy("scipy.sparse.linalg")


@reaches_device
def jacobian_operator(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> LinearOperator:
    """The Jacobian of f at x as a LinearOperator: products with it and its transpose, without its entries.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `sparse_jacobian`. Of several arrays, all stand side by side, in their order.

    Returns
    -------
    LinearOperator, shape (size of f's result, size of x)
        f was traced and linearized once (see `linearize`).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse.linalg import lsmr
    >>> from sparsejac import jacobian_operator
    >>> J = jacobian_operator(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0]))
    >>> J @ np.array([1.0, 0.0, 0.0]), J.T @ np.array([1.0, 0.0])
    (array([2., 0.]), array([2., 1., 0.]))
    >>> lsmr(J, np.array([2.0, 0.0]))[0].round(6)
    array([ 0.928571,  0.142857, -0.214286])

    As the Jacobian that `least_squares` asks for at each x:

    >>> from scipy.optimize import least_squares
    >>> f = lambda x: np.concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])
    >>> fit = least_squares(f, np.zeros(4), jac=lambda x: jacobian_operator(f, x), tr_solver="lsmr")
    >>> fit.x.round(4)
    array([1., 1., 1., 1.])
    """
    lin = Linearization(followed("jacobian_operator", f, (x, *args), kwargs, argnums, backend))
    return _operator(lin.shape, lin.push, lin.pull)


@reaches_device
def gauss_newton_operator(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    loss_hessian: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> LinearOperator:
    """JᵀJ, or Jᵀ H J with the Hessian H of a loss, as a symmetric LinearOperator.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `jacobian_operator`.
    loss_hessian : array, sparse matrix, LinearOperator or callable, optional
        See `Linearization.jtj`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse.linalg import cg
    >>> from sparsejac import gauss_newton_operator
    >>> N = gauss_newton_operator(lambda x: np.concatenate([np.diff(x), x[:1]]), np.zeros(3))
    >>> cg(N, np.array([1.0, 0.0, 0.0]))[0].round(9)
    array([1., 1., 1.])
    """
    lin = Linearization(followed("gauss_newton_operator", f, (x, *args), kwargs, argnums, backend))
    loss = checked_loss(lin.shape[0], kept_arguments(loss_hessian))

    def product(seeds: Floats, count: int | None) -> Floats:
        return lin.normal(seeds, count, loss)

    return _operator((lin.shape[1], lin.shape[1]), product, product)


@reaches_device
def hessian_operator(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> LinearOperator:
    """The Hessian of an f that returns one number, as a symmetric LinearOperator.

    The Program of the gradient is linearized at x once.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `jacobian_operator`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import hessian_operator
    >>> H = hessian_operator(lambda x: np.sum(x[1:] ** 2 * x[:-1]), np.array([1.0, 2.0, 3.0]))
    >>> H @ np.eye(3)
    array([[0., 4., 0.],
           [4., 2., 6.],
           [0., 6., 4.]])
    """
    point = followed("hessian_operator", f, (x, *args), kwargs, argnums, backend).scalar().smooth()
    lin = Linearization(point.made(gradient_once(point.program)))
    return _operator(lin.shape, lin.push, lin.push)


def _operator(
    shape: tuple[int, int],
    push: Callable[[Floats, int | None], Floats],
    pull: Callable[[Floats, int | None], Floats],
) -> LinearOperator:
    """An operator from products with flat vectors, `count` of them side by side for each number."""
    made: LinearOperator = _LINALG.LinearOperator(
        shape,
        matvec=_of_vector(push),
        rmatvec=_of_vector(pull),
        matmat=_of_matrix(push, shape[0]),
        rmatmat=_of_matrix(pull, shape[1]),
        dtype=np.float64,
    )
    return made


def _of_vector(product: Callable[[Floats, int | None], Floats]) -> Callable[[Any], Floats]:
    return lambda v: product(_real(v).reshape(-1), None)


def _of_matrix(product: Callable[[Floats, int | None], Floats], rows: int) -> Callable[[Any], Floats]:
    def multiply(v: Any) -> Floats:
        matrix = _real(v)
        return product(matrix.reshape(-1), matrix.shape[1]).reshape(rows, matrix.shape[1])

    return multiply


def _real(v: Any) -> Floats:
    check_unmasked("LinearOperator of sparsejac", v, "v")
    array = np.asarray(v)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(
            f"LinearOperator of sparsejac: it was multiplied by an array of dtype {array.dtype}\n  {user_location()}\n"
            "  Cure: pass real numbers; multiply the real and the imaginary part apart."
        )
    return np.ascontiguousarray(array, dtype=np.float64)
