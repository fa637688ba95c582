"""Hessians: the Jacobian of the gradient's Program, made symmetric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.arguments import as_number, as_point, check_function
from sparsejac.blocks import Blocks
from sparsejac.errors import InputError
from sparsejac.evaluation.engine import Engine
from sparsejac.location import user_location
from sparsejac.options import BackendName, Format, HessianStrategyName, check_option
from sparsejac.plan import Plan
from sparsejac.products.api import gradient_function
from sparsejac.products.dense import blocks_of, jacfwd
from sparsejac.products.followed import Followed, followed
from sparsejac.products.hessian_programs import check_objective, deriving, hessian_engine, joined
from sparsejac.residence import reaches_device
from sparsejac.signature import Signature, check_kwargs
from sparsejac.structure import offsets_of
from sparsejac.tracing.trace import current_trace
from sparsejac.transforms.symmetric import Triangle

Floats = npt.NDArray[np.float64]


@reaches_device
def sparse_hessian(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    format: Format = "csr",
    triangle: Triangle = "full",
    strategy: HessianStrategyName = "auto",
    backend: BackendName = "auto",
) -> Any:
    """The Hessian of an f that returns one number, as a sparse matrix: exact to rounding, symmetric to the last bit.

    Parameters
    ----------
    f : callable
        ``f(x, *args, **kwargs)``; see `sparse_jacobian`.
    x, args, kwargs, argnums, format
        See `sparse_jacobian`.
    triangle : {"full", "lower", "upper"}
        Which part is wanted, the diagonal included. Of several arrays, of the whole: all of them side by side.
    strategy : {"auto", "elements", "elimination", "star", "acyclic", "identity", ...}
        "elements": f is a sum of terms of few unknowns, whose second derivatives are added up. "elimination",
        "identity": of the gradient's Program, nothing is colored. "star", "acyclic": colored Hessian-vector products,
        from which entries are read directly or by substitution. "forward", "reverse", "bidirectional" treat the
        gradient as any function; "measure" times all. By default the one that the cost model expects to be the fastest.
    backend : {"auto", "numpy", "numba"}

    Returns
    -------
    csr_array, csc_array or coo_array, shape (size of x, size of x)
        float64, sorted indices, entries that happen to be zero kept. Where x is several arrays: blocks in the structure
        of x, in each the structure of x.

    Raises
    ------
    UntraceableError
        f uses an operation that cannot be followed, or one whose rule holds for first derivatives only.
    InputError
        f returns more than one number.

    Notes
    -----
    At kinks (`abs`, `maximum`, branches) second derivatives are those of the pieces; the kink itself has none.

    References
    ----------
    Gower & Mello, A new framework for the computation of Hessians, Optimization Methods and Software 27(2), 2012;
    Griewank & Walther, Evaluating Derivatives, 2nd ed. 2008, section 7.4.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import sparse_hessian
    >>> sparse_hessian(lambda x: np.sum(x[1:] ** 2 * x[:-1]), np.array([1.0, 2.0, 3.0])).toarray()
    array([[0., 4., 0.],
           [4., 2., 6.],
           [0., 6., 4.]])

    As the Hessian of a minimization:

    >>> from scipy.optimize import minimize
    >>> from sparsejac import gradient
    >>> rosenbrock = lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)
    >>> jac, hess = lambda x: gradient(rosenbrock, x), lambda x: sparse_hessian(rosenbrock, x).toarray()
    >>> minimize(rosenbrock, np.zeros(4), jac=jac, hess=hess, method="trust-exact").x.round(3)
    array([1., 1., 1., 1.])
    """
    check_option("sparse_hessian", "format", format, Format)
    check_option("sparse_hessian", "triangle", triangle, Triangle)
    point = followed("sparse_hessian", f, (x, *args), kwargs, argnums, backend)
    engine, inputs = hessian_engine(point, triangle, strategy)
    return _assembled(point, engine, inputs, format)


def prepare_hessian(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    format: Format = "csr",
    triangle: Triangle = "full",
    strategy: HessianStrategyName = "auto",
    backend: BackendName = "auto",
) -> Plan:
    """Prepare for many Hessians of a pure f: f is traced once.

    Parameters
    ----------
    f, x, args, kwargs, argnums, format, triangle, strategy, backend
        See `sparse_hessian`. Floats among `args` may be other ones at each evaluation.

    Returns
    -------
    Plan
        As of `prepare`, for the gradient in the place of f: ``plan(x)`` is the Hessian, ``plan.values(x)`` its entries,
        ``plan.value_and_jacobian(x)`` the gradient with it.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare_hessian
    >>> plan = prepare_hessian(lambda x, c: c * np.sum(x[1:] ** 2 * x[:-1]), np.ones(3), 1.0)
    >>> plan(np.array([1.0, 2.0, 3.0]), 10.0).toarray()
    array([[ 0., 40.,  0.],
           [40., 20., 60.],
           [ 0., 60., 40.]])
    >>> plan
    <Plan of <lambda>: Hessian 3 x 3, 6 nonzeros>
    """
    call = "prepare_hessian"
    for option, given, literal in (
        ("format", format, Format),
        ("triangle", triangle, Triangle),
        ("strategy", strategy, HessianStrategyName),
        ("backend", backend, BackendName),
    ):
        check_option(call, option, given, literal)
    signature = Signature(call, f, argnums, derived=deriving(call, triangle)).checked()
    bound = signature.bind(call, (x, *args), {} if kwargs is None else kwargs)
    return Plan(bound, format, {"strategy": strategy, "backend": backend})


@reaches_device
def hessian_sparsity(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    triangle: Triangle = "full",
) -> Any:
    """The sparsity pattern of the Hessian of f; see `jacobian_sparsity` for what it holds for.

    Parameters
    ----------
    f, x, args, kwargs, argnums, triangle
        See `sparse_hessian`.

    Returns
    -------
    Pattern

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import hessian_sparsity
    >>> hessian_sparsity(lambda x: np.sum(x[0] * x[1:]), np.ones(4)).to_scipy().toarray().astype(int)
    array([[0, 1, 1, 1],
           [1, 0, 0, 0],
           [1, 0, 0, 0],
           [1, 0, 0, 0]])
    """
    check_option("hessian_sparsity", "triangle", triangle, Triangle)
    point = followed("hessian_sparsity", f, (x, *args), kwargs, argnums, "auto")
    engine, _ = hessian_engine(point, triangle, "auto")
    return Blocks(engine.pattern, point.inputs, point.inputs).patterns()


@reaches_device
def hessian(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> Any:
    """The Hessian of an f that returns one number, as a dense array.

    Parameters
    ----------
    f, x, args, kwargs, argnums, has_aux, backend
        See `sparse_hessian`, which is the better choice wherever the Hessian has zeros.

    Returns
    -------
    array, shape (*shape of x, *shape of x)
        Where x is several arrays: the structure of x, in each place the structure of x. With `has_aux`, a pair: this,
        and what f returned beside its result.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1], np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    if current_trace() is not None:
        slope = gradient_function("hessian", f, argnums, has_aux=has_aux)
        return jacfwd(slope, x, *args, kwargs=kwargs, argnums=argnums, has_aux=has_aux)
    point = followed("hessian", f, (x, *args), kwargs, argnums, backend, has_aux=has_aux)
    engine, inputs = hessian_engine(point, "full", "auto")
    matrix = np.zeros((len(point.x), len(point.x)))
    matrix[engine.pattern.rows(), engine.pattern.indices] = engine.data(inputs, check=False)
    found = blocks_of(matrix, point.inputs, point.inputs)
    return (found, point.aux) if has_aux else found


@reaches_device
def lagrangian_hessian(
    f: Callable[..., Any],
    g: Callable[..., Any],
    x: Any,
    lam: Any,
    sigma: float = 1.0,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    format: Format = "csr",
    triangle: Triangle = "full",
    strategy: HessianStrategyName = "auto",
    backend: BackendName = "auto",
) -> Any:
    """The Hessian of the Lagrangian ``sigma * f(x) + lam . g(x)``, with one pattern for all multipliers.

    Parameters
    ----------
    f, g : callable
        ``f(x, *args, **kwargs)`` returns one number, ``g(x, *args, **kwargs)`` the constraints.
    x : array_like of real numbers, or structure of several arrays
    lam : array_like
        A multiplier for each constraint, in C order.
    sigma : float
        The factor of the objective, 0.0 included.
    args, kwargs, format, triangle, strategy, backend
        See `sparse_hessian`.

    Returns
    -------
    csr_array, csc_array or coo_array, shape (size of x, size of x)
        Multipliers that are zero leave no entry out.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import lagrangian_hessian
    >>> f, g = lambda x: x[0] ** 2, lambda x: x[1:] * x[:-1]
    >>> lagrangian_hessian(f, g, np.ones(3), [5.0, 0.0], 0.5).toarray()
    array([[1., 5., 0.],
           [5., 0., 0.],
           [0., 0., 0.]])
    >>> lagrangian_hessian(f, g, np.ones(3), [5.0, 0.0], 0.5).nnz
    5
    """
    call = "lagrangian_hessian"
    check_option(call, "format", format, Format)
    check_option(call, "triangle", triangle, Triangle)
    check_function(call, f)
    check_function(call, g, "g")
    named = {} if kwargs is None else kwargs
    check_kwargs(call, named)
    point = followed(call, partial(joined, f, g, args, named), (x,), None, 0, backend)
    weights = np.concatenate([[as_number(call, sigma, "sigma")], _multipliers(point, lam)])
    engine, inputs = hessian_engine(point, triangle, strategy, weights)
    return _assembled(point, engine, inputs, format)


def _multipliers(point: Followed, lam: Any) -> Floats:
    """The multipliers, one for each constraint."""
    check_objective(point.call, point.result)
    given = as_point(point.call, lam, "lam")
    size = offsets_of(point.result)[-1] - 1
    if given.size != size:
        raise InputError(
            f"{point.call}: lam has shape {given.shape}, and g returned {size} constraints\n  {user_location()}\n  "
            "Cure: pass a multiplier for each constraint."
        )
    return given.reshape(-1)


def _assembled(point: Followed, engine: Engine, inputs: list[Floats], format: Format) -> Any:
    data = engine.data(inputs, check=False)
    return Blocks(engine.pattern, point.inputs, point.inputs).matrices(data, format, copy_structure=True)
