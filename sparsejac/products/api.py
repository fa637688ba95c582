"""Products with derivatives, without their matrices: forward, backward, and of second order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.arguments import check_argnums, check_argnums_given
from sparsejac.errors import InputError
from sparsejac.location import user_location
from sparsejac.options import BackendName
from sparsejac.pieces.pieces import in_pieces
from sparsejac.products.evaluation import gradient_once, kept_template, pushed_once
from sparsejac.products.followed import Followed, followed
from sparsejac.products.linearization import Linearization
from sparsejac.products.nested import inner
from sparsejac.products.vectors import as_seeds, shaped
from sparsejac.programs.program import Node, Program
from sparsejac.residence import reaches_device
from sparsejac.structure import values_in
from sparsejac.tracing.trace import current_trace
from sparsejac.transforms import Template, dependent, has_jumps, pushed, then

Floats = npt.NDArray[np.float64]


@reaches_device
def jvp(
    f: Callable[..., Any],
    x: Any,
    v: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> tuple[Any, ...]:
    """f(x), and J v: the derivative of f in the direction v.

    Parameters
    ----------
    f : callable
        ``f(x, *args, **kwargs)``; see `sparse_jacobian`.
    x : array_like of real numbers, or structure of several arrays
    v : array_like or structure of arrays
        Of the structure and the shapes of x. With one more axis, the last, several directions are computed at once,
        which is cheaper than one by one: an x of shape (n,) takes a matrix of shape (n, p).
    *args
        Passed on to f.
    kwargs : dict, optional
        Passed on to f by name.
    argnums : int or tuple of int
        Which arguments of f are x; with a tuple, x and v are tuples with an item for each, and `args` the others in
        their order.
    has_aux : bool
        Whether f returns a pair ``(result, aux)``; `aux` then comes back last, as ordinary numbers.
    backend : {"auto", "numpy", "numba"}

    Returns
    -------
    y : float, array or structure of arrays
        f(x).
    tangent : float, array or structure of arrays
        J v, as y; with one more axis for several directions.

    Raises
    ------
    UntraceableError
        f uses an operation that cannot be followed.
    InputError, InputTypeError
        Bad arguments; also ValueError and TypeError.

    Notes
    -----
    f is traced at every call, as by `sparse_jacobian`; what follows from its structure is kept. Where v is zero and the
    derivative infinite, their product is NaN, as floating-point numbers have it.

    References
    ----------
    Griewank & Walther, Evaluating Derivatives, 2nd ed. 2008, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import jvp
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> jvp(lambda x: x[1:] * x[:-1], x, np.array([1.0, 0.0, 0.0]))
    (array([2., 6.]), array([2., 0.]))
    >>> jvp(lambda x: x[1:] * x[:-1], x, np.eye(3))[1]
    array([[2., 1., 0.],
           [0., 3., 2.]])
    """
    arguments = placed_arguments("jvp", x, args, argnums)
    nested = inner("jvp", f, arguments, kwargs, argnums, has_aux=has_aux)
    if nested is not None:
        return (nested.value, nested.jvp(v), *([nested.aux] if has_aux else []))
    point = followed("jvp", f, arguments, kwargs, argnums, backend, has_aux=has_aux)
    seeds, count = as_seeds("jvp", "v", point.inputs, v)
    if count == 0:
        found, value = np.empty(0), Linearization(point).flat_value
    else:
        found, value = point.evaluate(pushed_once(point.program, count), seeds)
    y, tangent = values_in(point.result, value), shaped(point.result, found, count)
    return (y, tangent, point.aux) if has_aux else (y, tangent)


@reaches_device
def vjp(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> tuple[Any, ...]:
    """f(x), and the function that pulls cotangents back: w to Jᵀ w.

    Parameters
    ----------
    f, x, args, kwargs, argnums, has_aux, backend
        See `sparse_jacobian`: with several `argnums` the arguments come as f takes them.

    Returns
    -------
    y : float, array or structure of arrays
        f(x).
    pullback : callable
        Takes w, of the structure and the shapes of y (with one more axis, the last, several at once), and returns
        Jᵀ w, as x. It may be called again and again: no part of f is computed anew.

    Notes
    -----
    A call of the pullback costs a small multiple of f, whatever the size of x.

    References
    ----------
    Griewank & Walther, Evaluating Derivatives, 2nd ed. 2008, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import vjp
    >>> y, pullback = vjp(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0]))
    >>> y, pullback(np.array([1.0, 0.0]))
    (array([2., 6.]), array([2., 1., 0.]))
    """
    nested = inner("vjp", f, (x, *args), kwargs, argnums, has_aux=has_aux)
    lin = nested or Linearization(followed("vjp", f, (x, *args), kwargs, argnums, backend, has_aux=has_aux))
    return (lin.value, lin.vjp, lin.aux) if has_aux else (lin.value, lin.vjp)


@reaches_device
def linearize(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> Linearization:
    """The derivative of f at x, stored: for products with vectors that are not known yet.

    Parameters
    ----------
    f, x, args, kwargs, argnums, has_aux, backend
        See `sparse_jacobian`.

    Returns
    -------
    Linearization
        With ``value``, ``jvp(v)``, ``vjp(w)`` and ``jtj(v)``; ``y, push = linearize(f, x)`` unpacks it.

    Notes
    -----
    It pays where products come one after the other, as in Krylov methods: each of them costs about one operation for
    each partial derivative, and no elementary function is computed again. Its memory grows with the operations of f.
    Where all vectors are known, `jvp` with a matrix of them needs no storage, and one pass.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import linearize
    >>> lin = linearize(lambda x: np.exp(x[0]) * x[1:], np.array([0.0, 2.0, 3.0]))
    >>> lin.value, lin.jvp(np.array([1.0, 0.0, 0.0])), lin.vjp(np.array([1.0, 0.0]))
    (array([2., 3.]), array([2., 3.]), array([2., 1., 0.]))
    >>> lin.jtj(np.array([1.0, 0.0, 0.0]))
    array([13.,  2.,  3.])
    """
    nested: Any = inner("linearize", f, (x, *args), kwargs, argnums, has_aux=has_aux)
    return nested or Linearization(followed("linearize", f, (x, *args), kwargs, argnums, backend, has_aux=has_aux))


@reaches_device
def linear_transpose(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Callable[[Any], Any]:
    """The transpose of a linear function.

    Parameters
    ----------
    f : callable
        Linear in x.
    x : array_like or structure of arrays
        Says the shapes alone.
    args, kwargs, argnums, backend
        See `sparse_jacobian`.

    Returns
    -------
    callable
        Takes what f returns and returns what f takes: w to Jᵀ w.

    Raises
    ------
    InputError
        If f is not seen to be linear: its derivative depends on x, it jumps, or f(0) is not 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import linear_transpose
    >>> linear_transpose(np.diff, np.zeros(4))(np.array([1.0, 0.0, 5.0]))
    array([-1.,  1., -5.,  5.])
    """
    inside: Any = inner("linear_transpose", f, (x, *args), kwargs, argnums, at_zero=True)
    if inside is not None:
        _check_linear(inside.not_linear)
        return inside.vjp  # type: ignore[no-any-return]
    point = followed("linear_transpose", f, (x, *args), kwargs, argnums, backend)
    lin = Linearization(point.at_zero())
    _check_linear(
        {
            "its derivative depends on x": not lin.is_constant,
            "it decides on values of x": _decides(point.program),
            "it jumps": _has_jumps(point.program),
            "f(0) is not 0": bool(lin.flat_value.any()),
        }
    )
    return lin.vjp


def _x_of(program: Program) -> Node | None:
    """The node of x; None where nothing reads it."""
    return next((node for node in program.nodes if node.kind == "input" and node.slot == 0), None)


def _decides(program: Program) -> bool:
    """Whether a decision is one on x: those of a derivative inside f, at a point of its own, are not."""
    source = _x_of(program)
    moving = set() if source is None else dependent(program.nodes, source)
    return any(decision.node.index in moving for decision in program.decisions)


def _has_jumps(program: Program) -> bool:
    source = _x_of(program)
    return source is not None and has_jumps(program.nodes, source, program.output)


def _check_linear(reasons: Mapping[str, bool]) -> None:
    why = next((reason for reason, holds in reasons.items() if holds), None)
    if why is not None:
        raise InputError(
            f"linear_transpose: f is not linear: {why}\n  {user_location()}\n  Cure: use vjp, which takes any f and "
            "gives the transpose of its derivative at x."
        )


@reaches_device
def gradient(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> Any:
    """The gradient of an f that returns one number.

    Parameters
    ----------
    f, x, args, kwargs, argnums, has_aux, backend
        See `sparse_jacobian`.

    Returns
    -------
    float, array or structure of arrays
        As x.

    Raises
    ------
    InputError
        If f returns more than one number.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import gradient
    >>> gradient(lambda x: np.sum(x[1:] * x[:-1]), np.array([1.0, 2.0, 3.0]))
    array([2., 4., 2.])
    """
    _, found, aux = _gradient("gradient", f, (x, *args), kwargs, argnums, backend, has_aux=has_aux)
    return (found, aux) if has_aux else found


@reaches_device
def value_and_gradient(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    backend: BackendName = "auto",
) -> tuple[Any, ...]:
    """f(x) and the gradient, from one evaluation; see `gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> from sparsejac import value_and_gradient
    >>> def rosenbrock(x):
    ...     return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)
    >>> minimize(lambda x: value_and_gradient(rosenbrock, x), np.zeros(4), jac=True).x.round(4)
    array([1., 1., 1., 1.])
    """
    y, found, aux = _gradient("value_and_gradient", f, (x, *args), kwargs, argnums, backend, has_aux=has_aux)
    return (y, found, aux) if has_aux else (y, found)


@reaches_device
def hvp(
    f: Callable[..., Any],
    x: Any,
    v: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    backend: BackendName = "auto",
) -> Any:
    """H v: the Hessian of an f that returns one number, times a vector.

    Tangents are pushed through the Program of the gradient: a small multiple of the cost of f, whatever the size of x.

    Parameters
    ----------
    f, x, v, args, kwargs, argnums, backend
        See `jvp`.

    Returns
    -------
    float, array or structure of arrays
        As x; with one more axis for several directions.

    References
    ----------
    Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6(1), 1994.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import hvp
    >>> hvp(lambda x: np.sum(x[1:] * x[:-1]), np.zeros(3), np.array([1.0, 0.0, 0.0]))
    array([0., 1., 0.])
    """
    arguments = placed_arguments("hvp", x, args, argnums)
    if current_trace() is not None:
        return jvp(gradient_function("hvp", f, argnums), x, v, *args, kwargs=kwargs, argnums=argnums)[1]
    point = followed("hvp", f, arguments, kwargs, argnums, backend).scalar().smooth()
    seeds, count = as_seeds("hvp", "v", point.inputs, v)
    found = np.empty(0) if count == 0 else point.evaluate(curvature_template(point, count), seeds)[0]
    return shaped(point.inputs, found, count)


def _gradient(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    backend: BackendName,
    *,
    has_aux: bool = False,
) -> tuple[Any, Any, Any]:
    nested = inner(call, f, args, kwargs, argnums, has_aux=has_aux)
    if nested is not None:
        return nested.value, nested.gradient(), nested.aux
    point = followed(call, f, args, kwargs, argnums, backend, has_aux=has_aux).scalar()
    found, value = point.evaluate(gradient_once(point.program, with_value=True))
    y, slope = values_in(point.result, value), values_in(point.inputs, found)
    return y, slope, point.aux if has_aux else None


def gradient_function(
    call: str, f: Callable[..., Any], argnums: int | tuple[int, ...], *, has_aux: bool = False
) -> Callable[..., Any]:
    """The gradient as a function of the arguments of f, with what f returns beside its result."""

    def function(*args: Any, **kwargs: Any) -> Any:
        _, found, aux = _gradient(call, f, args, kwargs, argnums, "auto", has_aux=has_aux)
        return (found, aux) if has_aux else found

    return function


def curvature_template(point: Followed, count: int | None) -> Template:
    """The gradient and its tangents, side by side."""

    def make() -> Template:
        first = gradient_once(point.program)
        return then(first, pushed(in_pieces(first.program), count, with_value=False))

    return kept_template(("curvature", point.program.digest, count), make)


def placed_arguments(call: str, x: Any, args: tuple[Any, ...], argnums: Any) -> tuple[Any, ...]:
    """The arguments of f where those that are x come first: all of them in a tuple, if there are several."""
    check_argnums(call, argnums)
    positions = argnums if isinstance(argnums, tuple) else (argnums,)
    given = x if isinstance(argnums, tuple) else (x,)
    if not isinstance(given, tuple | list) or len(given) != len(positions):
        raise InputError(
            f"{call}: argnums={argnums!r}, and x is a {type(x).__name__}\n  {user_location()}\n  Cure: pass a tuple "
            f"with an item for each of {len(positions)} arguments."
        )
    placed = list(args)
    for position, argument in sorted(zip(positions, given, strict=True), key=lambda pair: pair[0]):
        if position > len(placed):
            check_argnums_given(call, positions, len(args) + len(positions))
        placed.insert(position, argument)
    return tuple(placed)
