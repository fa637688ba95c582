"""The public calls: products with the inverse of the Jacobian, its determinant, and Newton steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from sparsejac.inverse.linearization import Evaluated, InverseLinearization, evaluated
from sparsejac.inverse.messages import Teller
from sparsejac.inverse.plan import InversePlan, numbers_of
from sparsejac.inverse.selection import LumpsName
from sparsejac.inverse.setup import set_up
from sparsejac.inverse.units import columns_by_units, rows_by_units, sparse_inverse
from sparsejac.options import BackendName, check_option
from sparsejac.products.dense import blocks_of
from sparsejac.residence import reaches_device
from sparsejac.signature import Bound, Signature
from sparsejac.tracing.trace import current_trace

Floats = npt.NDArray[np.float64]
_NONE: dict[str, Any] = {}


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
    inside = _nested("ivjp", f, (x, *args), kwargs, argnums, backend)
    return (inside or linearized_inverse("ivjp", f, (x, *args), kwargs, argnums, backend)).ivjp


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
    inside = _nested("ijvp", f, (x, *args), kwargs, argnums, backend)
    return (inside or linearized_inverse("ijvp", f, (x, *args), kwargs, argnums, backend)).ijvp


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
    inside = _nested("linearize_inverse", f, (x, *args), kwargs, argnums, backend)
    return inside or linearized_inverse("linearize_inverse", f, (x, *args), kwargs, argnums, backend, lumps)


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
    """
    bound = _bound("prepare_inverse", f, (x, *args), kwargs, argnums, backend)
    check_option("prepare_inverse", "lumps", lumps, LumpsName)
    return InversePlan(bound, backend, lumps)


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
        If J has no inverse and there is no damping.

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
    inside = _nested("newton_step", f, (x, *args), kwargs, argnums, backend)
    if inside is not None:
        return inside.newton_step(damping)
    if not np.any(damping) and not isinstance(damping, dict):
        return linearized_inverse("newton_step", f, (x, *args), kwargs, argnums, backend).newton_step()
    point = _evaluated("newton_step", f, (x, *args), kwargs, argnums, backend, strict=False)
    return point.damped("newton_step", damping)


@reaches_device
def slogdet(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> tuple[float, float]:
    """Sign and logarithm of the absolute value of det J, from the factors of the lumps; see `ivjp`.

    Returns
    -------
    sign : float
    logabsdet : float

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import slogdet
    >>> slogdet(lambda x: np.exp(x[::-1]), np.array([1.0, 2.0]))
    (-1.0, 3.0)
    """
    return linearized_inverse("slogdet", f, (x, *args), kwargs, argnums, backend).slogdet()


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
    lin = linearized_inverse("inverse_jacobian", f, (x, *args), kwargs, argnums, backend)
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
    lin = linearized_inverse("inverse_jacfwd", f, (x, *args), kwargs, argnums, backend)
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
    """J⁻¹ as a dense array, row by row: the products `ijvp` of all unit cotangents of x; see `inverse_jacfwd`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import inverse_jacrev
    >>> inverse_jacrev(lambda x: np.cumsum(x), np.zeros(2))
    array([[ 1.,  0.],
           [-1.,  1.]])
    """
    lin = linearized_inverse("inverse_jacrev", f, (x, *args), kwargs, argnums, backend)
    return blocks_of(rows_by_units(lin), *lin.structures)


def _nested(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    backend: BackendName,
) -> Any:
    """The inverse as a part of the function that is being followed; None where there is none."""
    trace = current_trace()
    if trace is None:
        return None
    check_option(call, "backend", backend, BackendName)
    return load("sparsejac.inverse.nested").InnerInverse(trace, call, f, args, kwargs, argnums)


def linearized_inverse(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    backend: BackendName,
    lumps: LumpsName = "auto",
) -> InverseLinearization:
    """Follow f at a point and factorize its lumps."""
    return InverseLinearization(_evaluated(call, f, args, kwargs, argnums, backend, lumps))


def _bound(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    backend: BackendName,
    *,
    frozen: bool = False,
) -> Bound:
    trace = current_trace()
    if trace is not None:
        raise trace.refusal(
            f"{call} inside a function that is followed",
            "it is found at plain numbers",
            "call it outside; inside, ivjp, ijvp, linearize_inverse and newton_step are followed, and so are "
            "np.linalg.slogdet and np.linalg.inv of jacfwd(f, x)",
        )
    check_option(call, "backend", backend, BackendName)
    return Signature(call, f, argnums).checked().bind(call, args, _NONE if kwargs is None else kwargs, frozen=frozen)


def _evaluated(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    backend: BackendName,
    lumps: LumpsName = "auto",
    *,
    strict: bool = True,
) -> Evaluated:
    check_option(call, "lumps", lumps, LumpsName)
    bound = _bound(call, f, args, kwargs, argnums, backend, frozen=True)
    traced = bound.trace()
    teller = Teller(call, f, bound.inputs, traced.result, traced.program.sites)
    inverter = set_up(teller, traced.program, traced.constants, len(bound.x), backend, lumps, strict=strict)
    return evaluated(teller, inverter, numbers_of(bound), traced.constants, check=False)
