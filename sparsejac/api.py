"""The public calls: sparse Jacobians of plain NumPy functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from coloring import Coloring
from sparsejac.arguments import as_pattern, as_point, check_argnum, check_function
from sparsejac.engine import Engine
from sparsejac.engines import engine_for
from sparsejac.matrices import assemble
from sparsejac.options import BackendName, Format, OrderName, StrategyName, check_option
from sparsejac.pattern import Pattern
from sparsejac.plan import Plan
from sparsejac.tracing import Traced, run


def sparse_jacobian(
    f: Callable[..., Any],
    x: npt.ArrayLike,
    *args: Any,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName = "smallest_last",
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
) -> Any:
    """The Jacobian of f at x, exact to rounding, as a sparse matrix.

    f is traced at every call, which costs about one run of its Python, so that whatever f captures may have changed
    since the last one. Everything that follows from f's structure (pattern, coloring, compiled kernels) is found once
    and reused.

    Parameters
    ----------
    f : callable
        ``f(x, *args)``, written with NumPy, SciPy's sparse matrices and the math module. Its result is an array of any
        shape, a list or a number.
    x : array_like of real numbers
        The point, of any shape; integers become floats.
    *args
        Passed on to f.
    format : {"csr", "csc", "coo"}
    strategy : {"auto", "forward", "reverse", "identity"}
        How compressed products are computed: by column colors, by row colors, or by sparse products from an identity
        seed. "auto" takes the one that a cost model finds cheapest.
    order : {"natural", "random", "largest_first", "smallest_last"}
        Order in which vertices are colored.
    backend : {"auto", "numpy", "numba"}
        What evaluates: NumPy at once, compiled code, or the one that pays.
    pattern : Pattern, optional
        Used instead of the detected pattern, after a test with random vectors.
    coloring : Coloring or array of int, optional
        Colors of the columns (of the rows with ``strategy="reverse"``), checked and used.

    Returns
    -------
    csr_array, csc_array or coo_array, shape (size of f's result, size of x)
        float64, sorted indices, entries that happen to be zero kept. The matrix is the caller's own.

    Raises
    ------
    UntraceableError
        f uses an operation that cannot be followed; the message names it, the line, and the cure.
    InputError, InputTypeError
        Bad arguments; also ValueError and TypeError.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import sparse_jacobian
    >>> def f(x):
    ...     y = np.zeros(3)
    ...     y[:] = x[1:] ** 2
    ...     y[0] += np.sin(x[0])
    ...     return y
    >>> sparse_jacobian(f, [0.0, 1.0, 2.0, 3.0]).toarray()
    array([[1., 2., 0., 0.],
           [0., 0., 4., 0.],
           [0., 0., 0., 6.]])
    """
    options = _options("sparse_jacobian", f, format, strategy, order, backend, pattern, coloring)
    engine, _, inputs = _traced("sparse_jacobian", f, (x, *args), 0, options)
    return assemble(engine.pattern, engine.data(inputs, check=False), format, copy_structure=True)


def value_and_jacobian(
    f: Callable[..., Any],
    x: npt.ArrayLike,
    *args: Any,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName = "smallest_last",
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
) -> tuple[Any, Any]:
    """f(x) and the Jacobian of f at x, from one evaluation; see `sparse_jacobian`.

    Returns
    -------
    value : float or array, of the shape of f's result
    jacobian : csr_array, csc_array or coo_array

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import value_and_jacobian
    >>> y, J = value_and_jacobian(lambda x: x[:2] * x[2], np.array([1.0, 2.0, 3.0]))
    >>> y, J.toarray()
    (array([3., 6.]), array([[3., 0., 1.],
           [0., 3., 2.]]))
    """
    options = _options("value_and_jacobian", f, format, strategy, order, backend, pattern, coloring)
    engine, traced, inputs = _traced("value_and_jacobian", f, (x, *args), 0, options)
    value, data = engine.value_and_data(inputs, check=False)
    return value.reshape(traced.shape)[()], assemble(engine.pattern, data, format, copy_structure=True)


def jacobian(
    f: Callable[..., Any],
    argnum: int = 0,
    *,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName = "smallest_last",
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
) -> Callable[..., Any]:
    """A function that computes the Jacobian of f: what SciPy's solvers take as ``jac=``.

    Parameters
    ----------
    f : callable
    argnum : int
        Position of the argument to differentiate by: 1 for the ``f(t, y)`` of `solve_ivp`.
    format, strategy, order, backend, pattern, coloring
        See `sparse_jacobian`.

    Returns
    -------
    callable
        Takes the arguments of f; f is traced at each call.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import least_squares
    >>> from sparsejac import jacobian
    >>> def rosenbrock(x):
    ...     return np.concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])
    >>> fit = least_squares(rosenbrock, np.zeros(5), jac=jacobian(rosenbrock))
    >>> fit.x.round(6)
    array([1., 1., 1., 1., 1.])
    """
    options = _options("jacobian", f, format, strategy, order, backend, pattern, coloring)
    check_argnum("jacobian", argnum)

    def jac(*args: Any, **kwargs: Any) -> Any:
        check_argnum("jacobian", argnum, len(args))
        function = (lambda *a: f(*a, **kwargs)) if kwargs else f
        engine, _, inputs = _traced("jacobian", function, args, argnum, options)
        return assemble(engine.pattern, engine.data(inputs, check=False), format, copy_structure=True)

    return jac


def jacobian_sparsity(f: Callable[..., Any], x: npt.ArrayLike, *args: Any) -> Pattern:
    """The sparsity pattern of the Jacobian of f.

    It holds for every x at which f takes the same way (its branches on values, masks).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import jacobian_sparsity
    >>> jacobian_sparsity(lambda x: np.diff(x), np.ones(4)).to_scipy().toarray().astype(int)
    array([[1, 1, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 1, 1]])
    """
    check_function("jacobian_sparsity", f)
    engine, _, _ = _traced("jacobian_sparsity", f, (x, *args), 0, {})
    return engine.pattern


def prepare(
    f: Callable[..., Any],
    x: npt.ArrayLike,
    *args: Any,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName = "smallest_last",
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
) -> Plan:
    """Trace f once and return a `Plan` that evaluates its Jacobian at many x.

    f is declared to be pure. Float arguments in `args` may change from call to call (``plan(x, *args)``) without any
    set-up; arrays that f captures otherwise are frozen with the values they have now.

    Parameters
    ----------
    f, x, args, format, strategy, order, backend, pattern, coloring
        See `sparse_jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare
    >>> plan = prepare(lambda x: np.exp(x[1:]) - x[:-1], np.zeros(3))
    >>> plan.values(np.zeros(3))
    array([-1.,  1., -1.,  1.])
    """
    options = _options("prepare", f, format, strategy, order, backend, pattern, coloring)
    return Plan(f, x, args, format, options)


def _options(
    call: str,
    f: Any,
    format: Format,
    strategy: StrategyName,
    order: OrderName,
    backend: BackendName,
    pattern: Any,
    coloring: Coloring | npt.ArrayLike | None,
) -> dict[str, Any]:
    """The options of an engine, checked."""
    check_function(call, f)
    for option, given, literal in (
        ("format", format, Format),
        ("strategy", strategy, StrategyName),
        ("order", order, OrderName),
        ("backend", backend, BackendName),
    ):
        check_option(call, option, given, literal)
    if pattern is not None and not isinstance(pattern, Pattern):
        pattern = as_pattern(call, pattern)
    return {"strategy": strategy, "order": order, "backend": backend, "pattern": pattern, "coloring": coloring}


def _traced(
    call: str, f: Callable[..., Any], args: tuple[Any, ...], argnum: int, options: dict[str, Any]
) -> tuple[Engine, Traced, list[npt.NDArray[np.float64]]]:
    """Trace f and find its engine; the inputs are x and the constants that f captured just now."""
    point = as_point(call, args[argnum])
    arguments = list(args)
    plain_number = not isinstance(args[argnum], np.ndarray) and point.ndim == 0
    arguments[argnum] = float(point) if plain_number else point
    traced = run(f, arguments, argnum)
    return engine_for(traced.program, options, traced.constants), traced, [point.reshape(-1), *traced.constants]
