"""Functions that are given by equations, to be called like any others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sparsejac.arguments import check_function
from sparsejac.errors import InputError, InputTypeError
from sparsejac.implicit_functions.captured import captured_in
from sparsejac.implicit_functions.newton import Options
from sparsejac.implicit_functions.nodes import traced_solution
from sparsejac.implicit_functions.solution import Equations, plain_solution
from sparsejac.location import definition_of, user_location
from sparsejac.residence import holds_device_array
from sparsejac.structure import Leaf, flatten, unflatten
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.trace import current_trace, untraced


def implicit(
    f: Callable[..., Any],
    *,
    solver: Callable[..., Any] | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 50,
) -> Callable[..., Any]:
    """The function x(p) that the equations f(x, p) = 0 define, with its derivative by p.

    Parameters
    ----------
    f : callable
        ``f(x, *params, **options)``: as many equations as x has numbers; zero at the solution. x, the result and each
        of the parameters are a float, an array, or a structure of arrays.
    solver : callable, optional
        ``solver(fun, x0)``: finds the root in place of Newton's method. ``fun(u)`` gives the residual of a flat array,
        ``fun.jacobian(u)`` its sparse Jacobian; x0 is the flat guess. It returns the flat root. Newton's method then
        refines it, so that the derivative is exact.
    tolerance : float
        Relative size of the last of Newton's steps. The error is about its square, or rounding.
    max_iterations : int

    Returns
    -------
    callable
        ``x(guess, *params, **options)``, of the structure and the shapes of `guess`. Outside of sparsejac it solves the
        equations. Inside a function that is differentiated, it is differentiated by the parameters, as often as is
        wanted; what f captures in closures counts among them. The derivative by the guess is zero.

    Raises
    ------
    ConvergenceError
        When called: no solution was found.
    SingularError
        When called: df/dx is singular for all x; or at the solution, if a derivative is asked for.
    InputError, InputTypeError
        Bad arguments; when called: f does not give an equation for each unknown.

    Notes
    -----
    By the implicit function theorem ``dx/dp = -(df/dx)^-1 (df/dp)``: a product with it is one product with df/dp and
    one sparse solve with df/dx, a product with its transpose the same backwards; how the root was found does not
    matter. Its pattern follows from the block-triangular form of df/dx: the unknowns of a diagonal block depend on the
    parameters of the blocks that a way leads to, and on no others. Where equations have several solutions, the guess
    decides which of them is followed.

    References
    ----------
    Griewank & Walther, Evaluating Derivatives, 2nd ed. 2008, chapter 15.
    Christianson, Reverse accumulation and implicit functions, Optimization Methods and Software 9(4), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import implicit, sparse_jacobian
    >>> root = implicit(lambda x, p: x**3 + x - p)
    >>> root(np.ones(2), np.array([2.0, 10.0]))
    array([1., 2.])
    >>> sparse_jacobian(lambda p: root(np.ones(2), p), np.array([2.0, 10.0])).toarray().round(6)
    array([[0.25    , 0.      ],
           [0.      , 0.076923]])
    """
    return ImplicitFunction("implicit", f, f, solver, _checked("implicit", tolerance, max_iterations))


def fixed_point(
    g: Callable[..., Any],
    *,
    solver: Callable[..., Any] | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 50,
) -> Callable[..., Any]:
    """The function x(p) that the equations x = g(x, p) define, with its derivative by p.

    Parameters
    ----------
    g : callable
        ``g(x, *params, **options)``, of the structure and the shapes of x.
    solver, tolerance, max_iterations
        See `implicit`; its f is ``x - g(x, p)``, so that ``u - fun(u)`` is the next iterate of a solver.

    Returns
    -------
    callable
        ``x(guess, *params, **options)``; see `implicit`.

    Notes
    -----
    The fixed point is found by Newton's method on ``x - g(x, p)``, which needs no contraction.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import fixed_point, jvp
    >>> steady = fixed_point(lambda x, p: np.cos(p * x))
    >>> jvp(lambda p: steady(0.5, p), 1.0, 1.0)
    (np.float64(0.7390851332151607), np.float64(-0.2974...))
    """
    return ImplicitFunction(
        "fixed_point", partial(_difference, g), g, solver, _checked("fixed_point", tolerance, max_iterations)
    )


def _difference(g: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Any:
    """X - g(x, ...), leaf by leaf."""
    structure, left = flatten(x, _leaf, "x")
    image = g(x, *args, **kwargs)
    try:
        other, right = flatten(image, _leaf, "g(x)")
    except ValueError as error:
        raise InputError(
            f"fixed_point: g returned a ragged list ({error})\n  {definition_of(g)}\n  Cure: return what takes the "
            "place of x, with its structure and its shapes."
        ) from None
    if structure != other:
        raise InputError(
            f"fixed_point: g returned {other} for a guess of {structure}\n  {definition_of(g)}\n  Cure: return what "
            "takes the place of x, with its structure and its shapes."
        )
    return unflatten(structure, (a - b for a, b in zip(left, right, strict=True)))


def _leaf(path: str, value: Any) -> tuple[Leaf, Any]:
    trace = current_trace()
    array = as_array(trace, list(value)) if isinstance(value, list | tuple) and trace is not None else value
    return Leaf(np.shape(array)), array


def _checked(call: str, tolerance: Any, max_iterations: Any) -> Options:
    """The options, unless they make no sense."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float | np.floating) or not 0.0 < tolerance < 1.0:
        raise InputError(
            f"{call}: tolerance={tolerance!r}\n  {user_location()}\n  Cure: pass a number between 0 and 1: 1e-10."
        )
    whole = isinstance(max_iterations, int | np.integer) and not isinstance(max_iterations, bool)
    if not whole or max_iterations < 1:
        raise InputError(
            f"{call}: max_iterations={max_iterations!r}\n  {user_location()}\n  Cure: pass a whole number, 1 or more."
        )
    return Options(float(tolerance), int(max_iterations))


class ImplicitFunction:
    """What `implicit` gives."""

    def __init__(
        self, call: str, f: Callable[..., Any], given: Any, solver: Callable[..., Any] | None, options: Options
    ) -> None:
        check_function(call, given, "f" if given is f else "g")
        if solver is not None and not callable(solver):
            raise InputTypeError(
                f"{call}: solver is a {type(solver).__name__}\n  {user_location()}\n  Cure: pass a function "
                "solver(fun, x0) that returns the root."
            )
        name = getattr(given, "__name__", type(given).__name__)
        self._equations = Equations(call, f, name, solver, options)
        self.__name__ = f"{call}({name})"
        self.__doc__ = getattr(given, "__doc__", None)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __call__(self, guess: Any, *params: Any, **options: Any) -> Any:
        """The solution near the guess."""
        trace = current_trace()
        if trace is None:
            _check_place(self._equations.call, (guess, *params, *options.values()))
        leaves = _leaves((guess, params))
        objects = [leaf for leaf in leaves if not hasattr(leaf, "dtype")]
        places = [] if trace is None else captured_in(self._equations.f, trace, *objects, *options.values())
        if trace is None or (not places and all_plain((leaves, options))):
            with untraced():
                return plain_solution(self._equations, plain(guess), plain(params), plain(options))
        trace.begin()
        return traced_solution(self._equations, trace, places, guess, params, options)


def _check_place(call: str, arguments: tuple[Any, ...]) -> None:
    """Refuse arrays on a device."""
    if any(map(holds_device_array, arguments)):
        raise InputTypeError(
            f"{call}: an argument is on a device, and equations are solved on the host\n  {user_location()}\n  Cure: "
            "pass cupy.asnumpy(...) of it. Newton's method on the device: plan = prepare_inverse(f, x, p), and "
            "x = x + plan.newton_step(x, p)."
        )


def _leaves(obj: Any) -> list[Any]:
    """What is in a structure."""
    return flatten(obj, lambda path, value: (Leaf(()), value), "")[1]
