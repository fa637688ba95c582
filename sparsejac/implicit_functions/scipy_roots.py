"""Calls of SciPy's root finders inside a function that is being followed.

SciPy's own function finds the root, on ordinary numbers; Newton's method refines it, and the implicit function theorem
differentiates it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.implicit_functions.captured import captured_in
from sparsejac.implicit_functions.newton import Options
from sparsejac.implicit_functions.nodes import traced_solution
from sparsejac.implicit_functions.solution import Equations, Residual
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.conversion import as_value
from sparsejac.tracing.trace import Trace

OPTIMIZE = Lazy("scipy.optimize")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Form:
    """How a root finder is called.

    Parameters
    ----------
    function, jacobian : str
        Names of the arguments that are functions; none of the second sort if empty.
    guess : str
        Name of the argument that has the shape of the root; of a bracket if empty.
    root : str
        The attribute of the result that holds the root; the result itself, or the first of a tuple, if empty.
    """

    function: str
    guess: str = "x0"
    jacobian: str = ""
    root: str = ""


_BRACKET = _Form("f", guess="")
_QUASI = _Form("F", guess="xin")

FORMS = {
    "root": _Form("fun", jacobian="jac", root="x"),
    "root_scalar": _Form("f", jacobian="fprime", root="root"),
    "fsolve": _Form("func", jacobian="fprime"),
    "newton": _Form("func", jacobian="fprime"),
    "fixed_point": _Form("func"),
    **dict.fromkeys(["brentq", "brenth", "ridder", "bisect", "toms748"], _BRACKET),
    **dict.fromkeys(["broyden1", "broyden2", "newton_krylov", "anderson"], _QUASI),
    **dict.fromkeys(["diagbroyden", "linearmixing", "excitingmixing"], _QUASI),
}
"""Root finder -> how it is called."""

_FLAT = ("root", "fsolve")
"""Root finders that make vectors of their unknowns."""

_UNUSED = ("fprime2", "col_deriv", "callback")
"""Arguments that only steer or show the way to the root, and may hold functions of values that depend on x."""


def root_of(trace: Trace, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a root finder returns, its root traced if the equations depend on x.

    Parameters
    ----------
    trace : Trace
    original : callable
        SciPy's function.
    args, kwargs : tuple and dict
        As the user passed them.
    """
    given = _arguments(original, args, kwargs)
    form = FORMS[original.__name__]
    function = given.pop(form.function)
    if not captured_in(function, trace) and all_plain((args, kwargs)):
        return original(*plain(args), **plain(kwargs))
    trace.begin()
    params = given.pop("args", ())
    params = params if isinstance(params, tuple) else (params,)
    jacobian = given.pop(form.jacobian, None) if form.jacobian else None
    for name in _UNUSED:
        given.pop(name, None)
    guess = given.pop(form.guess, None) if form.guess else None
    settled = {name: _settled(trace, value) for name, value in given.items()}
    if guess is None:
        guess = _inside(original.__name__, settled)
    elif original.__name__ in _FLAT:
        guess = np.ravel(guess)
    finder = _Finder(original.__name__, settled, bool(jacobian), np.shape(guess))
    first = jacobian is True
    equations = partial(_image if original.__name__ == "fixed_point" else _residual, function, first)
    title = getattr(function, "__name__", type(function).__name__)
    call_name = f"scipy.optimize.{original.__name__}"
    root = traced_solution(
        Equations(call_name, equations, title, finder, Options()),
        trace,
        captured_in(equations, trace),
        guess,
        params,
        {},
    )
    return _returned(finder.last, form, root)


def _arguments(original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call that were given, by name."""
    call = inspect.signature(original).bind(*args, **kwargs)
    given = dict(call.arguments)
    for name, parameter in call.signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given.update(given.pop(name, {}))
    return given


class _Finder:
    """Runs a root finder of SciPy's on a flat residual; pickled, it is what tells it from others.

    Parameters
    ----------
    name : str
    options : dict
        All arguments but the functions and the guess.
    has_jacobian : bool
        Whether the user passed a Jacobian; ours takes its place.
    shape : tuple of int
        Of the root.

    Attributes
    ----------
    last : object
        What the root finder returned.
    """

    def __init__(self, name: str, options: dict[str, Any], has_jacobian: bool, shape: tuple[int, ...]) -> None:
        self.name, self.options, self.has_jacobian, self.shape = name, options, has_jacobian, shape
        self.last: Any = None

    def __reduce__(self) -> Any:
        return _Finder, (self.name, self.options, self.has_jacobian, self.shape)

    def __call__(self, fun: Residual, x0: Floats) -> Any:
        """The root, flat."""
        form = FORMS[self.name]

        def equations(u: Any) -> Any:
            found = fun(u)
            return self._shaped(np.ravel(u) - found if self.name == "fixed_point" else found)

        functions: dict[str, Any] = {form.function: equations}
        if self.has_jacobian:
            functions[form.jacobian] = partial(self._slope, fun)
        if form.guess and self.options.get("bracket") is None:
            functions[form.guess] = self._shaped(x0)
        self.last = getattr(OPTIMIZE, self.name)(**functions, **self.options)
        return np.ravel(np.asarray(_root_in(self.last, form), dtype=np.float64))

    def _slope(self, fun: Residual, u: Any) -> Any:
        """The Jacobian as the root finder takes it."""
        matrix = fun.jacobian(u)
        by_number = not self.shape or self.name == "newton"
        return self._shaped(matrix.diagonal()) if by_number else matrix.toarray()

    def _shaped(self, flat: Floats) -> Any:
        return flat.reshape(self.shape) if self.shape else float(flat[0])


def _residual(function: Callable[..., Any], is_first: bool, u: Any, *args: Any) -> Any:
    found = function(u, *args)
    return found[0] if is_first else found


def _image(function: Callable[..., Any], is_first: bool, u: Any, *args: Any) -> Any:
    return u - function(u, *args)


def _settled(trace: Trace, value: Any) -> Any:
    """An option as ordinary numbers; that it has these is a decision, if it depends on x."""
    if all_plain(value):
        return plain(value)
    if isinstance(value, list | tuple):
        return type(value)(_settled(trace, part) for part in value)
    found = trace.decide(as_value(trace, value).real)
    return np.array(found) if np.ndim(value) else float(found)


def _inside(name: str, options: dict[str, Any]) -> float:
    """A number inside a bracket."""
    a, b = options["bracket"] if name == "root_scalar" else (options["a"], options["b"])
    return 0.5 * (float(a) + float(b))


def _root_in(result: Any, form: _Form) -> Any:
    if form.root:
        return getattr(result, form.root)
    return result[0] if isinstance(result, tuple) else result


def _returned(result: Any, form: _Form, root: Any) -> Any:
    """What the root finder returned, with the root in its place."""
    if form.root:
        setattr(result, form.root, root)
        return result
    return (root, *result[1:]) if isinstance(result, tuple) else root
