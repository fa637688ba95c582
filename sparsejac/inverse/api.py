"""The public calls: products with the inverse of the Jacobian, its determinant, and Newton steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sparsejac.inverse.linearization import InverseLinearization, is_undamped
from sparsejac.inverse.plan import InversePlan
from sparsejac.inverse.request import Request, bound, evaluated_lumps, linearized_inverse, nested
from sparsejac.inverse.selection import LumpsName
from sparsejac.inverse.units import columns_by_units, rows_by_units, sparse_inverse
from sparsejac.options import BackendName, check_option
from sparsejac.products.dense import blocks_of
from sparsejac.residence import reaches_device


@reaches_device
def ivjp(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Callable[[Any], Any]:
    """The inverse of the derivative: from output tangents to input tangents, J⁻¹ v, without forming J.

    f is taken apart into lumps, stretches between which the state has just as many numbers as x. Each lump is
    factorized on its own, in the form that its pattern suggests, and a product goes backwards through them.

    Parameters
    ----------
    f : callable
        With as many results as x has numbers; see `sparse_jacobian`.
    x, args, kwargs, argnums, backend
        See `sparse_jacobian`.

    Returns
    -------
    callable
        Takes v, of the structure and the shapes of f's result, and returns J⁻¹ v in those of x. With one more axis,
        the last, several vectors at once. The factors are kept: further vectors cost substitutions.

    Raises
    ------
    InputError
        If f does not have as many results as unknowns.
    SingularError
        If J has no inverse, whatever x is, or at this x.

    See Also
    --------
    ijvp : the same with the transpose.
    linearize_inverse : both of them, and the determinant, from one factorization.
    prepare_inverse : for many points.

    References
    ----------
    Pearlmutter and Siskind, arXiv:2411.18786, 2024, on inverse accumulation; Naumann, on matrix-free Newton steps of
    compositions.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import ivjp, jvp
    >>> def f(x):
    ...     y = np.exp(x)                      # diagonal
    ...     return y + 0.5 * np.append(0.0, y[:-1])  # bidiagonal
    >>> x = np.array([0.0, 1.0, 2.0])
    >>> back = ivjp(f, x)
    >>> _, v = jvp(f, x, np.array([1.0, 2.0, 3.0]))
    >>> back(v)
    array([1., 2., 3.])
    """
    request = Request("ivjp", f, (x, *args), kwargs, argnums, backend)
    return (nested(request) or linearized_inverse(request)).ivjp


@reaches_device
def ijvp(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Callable[[Any], Any]:
    """The inverse of the transposed derivative: from input cotangents to output cotangents, J⁻ᵀ w; see `ivjp`.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`, which also says what is raised.

    Returns
    -------
    callable
        Takes w, of the structure and the shapes of x, and returns J⁻ᵀ w in those of f's result. With one more axis, the
        last, several vectors at once.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import ijvp, vjp
    >>> f = lambda x: np.cumsum(x) ** 2
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> _, pull = vjp(f, x)
    >>> ijvp(f, x)(pull(np.array([1.0, 2.0, 3.0])))
    array([1., 2., 3.])
    """
    request = Request("ijvp", f, (x, *args), kwargs, argnums, backend)
    return (nested(request) or linearized_inverse(request)).ijvp


@reaches_device
def linearize_inverse(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
    lumps: LumpsName = "auto",
) -> InverseLinearization:
    """The inverse of the Jacobian of f at x, factorized once, for products, determinants and steps.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`.
    lumps : {"auto", "finest", "one"}
        Into which lumps f is taken apart: those that a cost model finds cheapest, as many as there are cuts, or one:
        then J itself is computed and factorized.

    Returns
    -------
    InverseLinearization
        With ``ivjp(v)``, ``ijvp(w)``, ``slogdet()``, ``newton_step()``, ``value`` and ``explain()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import linearize_inverse
    >>> inverse = linearize_inverse(lambda x: 2.0 * x[::-1], np.array([1.0, 3.0]))
    >>> inverse.value, inverse.ivjp(np.array([4.0, 8.0])), inverse.ijvp(np.array([4.0, 8.0]))
    (array([6., 2.]), array([4., 2.]), array([4., 2.]))
    >>> sign, log = inverse.slogdet()
    >>> float(sign * np.exp(log)).__round__(12)
    -4.0
    """
    request = Request("linearize_inverse", f, (x, *args), kwargs, argnums, backend)
    return nested(request) or linearized_inverse(request, lumps)


@reaches_device
def prepare_inverse(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
    lumps: LumpsName = "auto",
) -> InversePlan:
    """A plan for the inverse of the Jacobian at many points: f is followed once.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`. x says the shapes, and the way through f that is taken first.
    lumps : {"auto", "finest", "one"}
        See `linearize_inverse`.

    Returns
    -------
    InversePlan
        ``plan(x)`` is what `linearize_inverse` gives at x.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare_inverse
    >>> plan = prepare_inverse(lambda x: x**2 - 2.0, np.ones(2))
    >>> x = np.array([1.0, 2.0])
    >>> for _ in range(6):
    ...     x = x + plan.newton_step(x)
    >>> x.round(9)
    array([1.41421356, 1.41421356])
    """
    given = bound(Request("prepare_inverse", f, (x, *args), kwargs, argnums, backend))
    check_option("prepare_inverse", "lumps", lumps, LumpsName)
    return InversePlan(given, backend, lumps)


@reaches_device
def newton_step(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    damping: Any = 0.0,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Any:
    """The step s with J s = -f(x), or a regularised one.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`.
    damping : float, or array or structure of arrays as x
        If it is not 0, s minimises ``|J s + f(x)|² + Σ damping_j s_j²`` (Levenberg, Tikhonov): then J may be singular.
        It is solved for without JᵀJ, by a sparse system of all lumps.

    Returns
    -------
    float, array or structure of arrays
        As x.

    Raises
    ------
    SingularError
        If J has no inverse and there is no damping, or too little of it.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import newton_step
    >>> x = np.array([1.0, 1.0])
    >>> for _ in range(6):
    ...     x = x + newton_step(lambda x: np.array([x[0] ** 2 + x[1] - 3.0, x[1] - 2.0 * x[0]]), x)
    >>> x
    array([1., 2.])
    >>> newton_step(lambda x: x[0] + x - np.ones(2) * x[0], np.array([3.0, 4.0]), damping=1.0)
    array([-1.5, -2. ])
    """
    request = Request("newton_step", f, (x, *args), kwargs, argnums, backend)
    inside = nested(request)
    if inside is not None:
        return inside.newton_step(damping)
    if is_undamped(damping):
        return linearized_inverse(request).newton_step()
    return evaluated_lumps(request, strict=False).damped("newton_step", damping)


@reaches_device
def slogdet(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> tuple[float, float]:
    """Sign and logarithm of the absolute value of det J, from the factors of the lumps.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`.

    Returns
    -------
    sign : float
        1.0 or -1.0.
    logabsdet : float

    Raises
    ------
    SingularError
        If J has no inverse: its determinant is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import slogdet
    >>> slogdet(lambda x: np.exp(x[::-1]), np.array([1.0, 2.0]))
    (-1.0, 3.0)
    """
    return linearized_inverse(Request("slogdet", f, (x, *args), kwargs, argnums, backend)).slogdet()


@reaches_device
def inverse_jacobian(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Any:
    """J⁻¹, the derivative of x by the result: a sparse matrix where it stays sparse, else a dense array.

    Whether it stays sparse follows from structure alone: from the block-triangular forms of the lumps.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`.

    Returns
    -------
    csr_array, shape (size of x, size of the result), or array, shape (*shape of x, *shape of the result)
        Sparse if at most one entry in four may be other than zero. Where x or the result is several arrays: the
        structure of x, in each place the structure of the result.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import inverse_jacobian
    >>> inverse_jacobian(lambda x: np.exp(x), np.zeros(8)).nnz
    8
    >>> inverse_jacobian(lambda x: np.cumsum(x), np.zeros(2))
    array([[ 1.,  0.],
           [-1.,  1.]])
    """
    lin = linearized_inverse(Request("inverse_jacobian", f, (x, *args), kwargs, argnums, backend))
    found = sparse_inverse(lin)
    return blocks_of(columns_by_units(lin), *lin.structures) if found is None else found


@reaches_device
def inverse_jacfwd(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Any:
    """J⁻¹ as a dense array, column by column: the products `ivjp` of all unit tangents of the result.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`.

    Returns
    -------
    array, shape (*shape of x, *shape of the result)

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import inverse_jacfwd
    >>> inverse_jacfwd(lambda x: np.cumsum(x), np.zeros(2))
    array([[ 1.,  0.],
           [-1.,  1.]])
    """
    lin = linearized_inverse(Request("inverse_jacfwd", f, (x, *args), kwargs, argnums, backend))
    return blocks_of(columns_by_units(lin), *lin.structures)


@reaches_device
def inverse_jacrev(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Any:
    """J⁻¹ as a dense array, row by row: the products `ijvp` of all unit cotangents of x.

    Parameters
    ----------
    f, x, args, kwargs, argnums, backend
        See `ivjp`.

    Returns
    -------
    array, shape (*shape of x, *shape of the result)
        As of `inverse_jacfwd`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import inverse_jacrev
    >>> inverse_jacrev(lambda x: np.cumsum(x), np.zeros(2))
    array([[ 1.,  0.],
           [-1.,  1.]])
    """
    lin = linearized_inverse(Request("inverse_jacrev", f, (x, *args), kwargs, argnums, backend))
    return blocks_of(rows_by_units(lin), *lin.structures)
