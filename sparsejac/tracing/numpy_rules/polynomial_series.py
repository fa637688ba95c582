"""numpy.polynomial: values and bases of the six families, at points or with coefficients that depend on x.

These functions have no dispatch: they convert what they get to ordinary arrays. Each family is its first two members
and a recurrence of three terms.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from operator import index
from typing import Any

import numpy as np

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import LIBRARY, follows
from sparsejac.tracing.trace import Trace

Next = Callable[[int, Any, Any, Any], Any]
"""Function of (n, x, member n, member n - 1) that gives member n + 1."""

_FAMILIES: dict[str, tuple[str, Callable[[Any], Any], Next]] = {
    "poly": ("polynomial", lambda x: x, lambda n, x, p, q: x * p),
    "cheb": ("chebyshev", lambda x: x, lambda n, x, p, q: 2.0 * x * p - q),
    "leg": ("legendre", lambda x: x, lambda n, x, p, q: ((2.0 * n + 1.0) * x * p - n * q) / (n + 1.0)),
    "herm": ("hermite", lambda x: 2.0 * x, lambda n, x, p, q: 2.0 * (x * p - n * q)),
    "herme": ("hermite_e", lambda x: x, lambda n, x, p, q: x * p - n * q),
    "lag": ("laguerre", lambda x: 1.0 - x, lambda n, x, p, q: ((2.0 * n + 1.0 - x) * p - n * q) / (n + 1.0)),
}


def _members(family: str, x: Any, degree: int) -> list[Any]:
    """The polynomials of the family up to a degree at x."""
    _, first, following = _FAMILIES[family]
    members = [np.ones_like(x), first(x)][: degree + 1]
    for n in range(1, degree):
        members.append(following(n, x, members[n], members[n - 1]))
    return members


def _points(trace: Trace, x: Any) -> Any:
    return as_array(trace, x) if isinstance(x, list | tuple) else x


def _value(family: str, original: Callable[..., Any], trace: Trace, x: Any, c: Any, tensor: bool = True) -> Any:
    points = _points(trace, x)
    if all_plain(c):
        return original(points, plain(c), tensor)
    coefficients = np.atleast_1d(as_array(trace, c))
    if tensor:
        coefficients = coefficients.reshape(coefficients.shape + (1,) * np.ndim(points))
    terms = [coefficients[k] * member for k, member in enumerate(_members(family, points, len(coefficients) - 1))]
    return sum(terms[1:], terms[0])


def _vandermonde(family: str, trace: Trace, x: Any, deg: Any) -> Any:
    degree = index(deg)
    if degree < 0:
        raise ValueError("deg must be non-negative")
    points = np.atleast_1d(as_array(trace, x))
    basis = np.stack(_members(family, points, degree), axis=-1)
    return basis.astype(points.dtype) if points.dtype.kind == "f" else basis


def _at_each(value: Callable[..., Any], trace: Trace, *arguments: Any) -> Any:
    """The value of a series in several variables, point by point."""
    *coordinates, c = arguments
    points = [as_array(trace, coordinate) for coordinate in coordinates]
    if any(axis.shape != points[0].shape for axis in points):
        raise ValueError("x, y, z are incompatible")
    c = value(trace, points[0], c)
    for axis in points[1:]:
        c = value(trace, axis, c, tensor=False)
    return c


def _on_grid(value: Callable[..., Any], trace: Trace, *arguments: Any) -> Any:
    """The value of a series in several variables on the grid that their points span."""
    *coordinates, c = arguments
    for axis in coordinates:
        c = value(trace, axis, c)
    return c


def _vandermonde_of(vandermonde: Callable[..., Any], trace: Trace, *arguments: Any) -> Any:
    """Products of the bases in several variables, point by point."""
    *coordinates, degrees = arguments
    product: Any = None
    for axis, degree in zip(coordinates, degrees, strict=True):
        basis = vandermonde(trace, axis, degree)
        product = basis if product is None else product[..., None] * basis[..., None, :]
        product = product.reshape((*basis.shape[:-1], -1))
    return product


def _linear_in_coefficients(original: Callable[..., Any], trace: Trace, c: Any, *args: Any, **kwargs: Any) -> Any:
    """Derivatives and integrals: what the function does to the columns of a unit matrix, and to zeros."""
    options = inspect.signature(original).bind(c, *args, **kwargs).arguments
    del options["c"]
    options = plain(options)
    axis = options.pop("axis", 0)
    coefficients = np.moveaxis(np.atleast_1d(as_array(trace, c)), axis, 0)
    size = coefficients.shape[0]
    rest = original(np.zeros(size), **options)
    matrix = original(np.eye(size), **options, axis=0) - rest[:, None]
    moved = np.tensordot(matrix, coefficients, axes=1) + rest.reshape((-1,) + (1,) * (coefficients.ndim - 1))
    return np.moveaxis(moved, 0, axis)


def _fit(original: Callable[..., Any], trace: Trace, x: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
    """A least squares fit is linear in the values that it fits."""
    options = inspect.signature(original).bind(x, y, *args, **kwargs).arguments
    if not all_plain((x, args, kwargs)) or options.get("full"):
        home = original.__module__.replace("numpy.", "np.", 1)
        raise trace.refusal(
            f"{home}.{original.__name__} by its points or weights, or with full=True",
            "there is a rule for the values that are fitted alone",
            "np.linalg.lstsq with the matrix of the basis, such as np.polynomial.polynomial.polyvander(x, degree)",
        )
    matrix = original(plain(x), np.eye(np.size(x)), *plain(args), **plain(kwargs))
    return np.tensordot(matrix, as_array(trace, y), axes=1)


def _trimmed(trace: Trace, c: Any) -> Any:
    """Coefficients without zeros at the end, which NumPy leaves out: how many there are is a decision."""
    c = np.atleast_1d(as_array(trace, c))
    if c.ndim > 1 or not c.size:
        raise ValueError(f"coefficients of shape {c.shape}, where NumPy takes a vector that is not empty")
    while len(c) > 1 and bool(c[-1] == 0):
        c = c[:-1]
    return c


def _sum(sign: float, trace: Trace, c1: Any, c2: Any) -> Any:
    first, second = _trimmed(trace, c1), sign * _trimmed(trace, c2)
    size = max(len(first), len(second))
    parts = [np.concatenate([c, np.zeros(size - len(c))]) for c in (first, second)]
    return _trimmed(trace, parts[0] + parts[1])


@follows("numpy.polynomial.polynomial", "polymul")
def _product(trace: Trace, c1: Any, c2: Any) -> Any:
    return _trimmed(trace, np.convolve(_trimmed(trace, c1), _trimmed(trace, c2)))


for _family, (_module, *_) in _FAMILIES.items():
    _home = f"numpy.polynomial.{_module}"
    for _name in ("der", "int"):
        LIBRARY[_home, _family + _name] = partial(_linear_in_coefficients, getattr(load(_home), _family + _name))
    LIBRARY[_home, f"{_family}fit"] = partial(_fit, getattr(load(_home), f"{_family}fit"))
    LIBRARY[_home, f"{_family}add"], LIBRARY[_home, f"{_family}sub"] = partial(_sum, 1.0), partial(_sum, -1.0)
    _val = partial(_value, _family, getattr(load(_home), f"{_family}val"))
    _vander = partial(_vandermonde, _family)
    LIBRARY[_home, f"{_family}val"] = _val
    LIBRARY[_home, f"{_family}vander"] = _vander
    for _count in ("2d", "3d"):
        LIBRARY[_home, f"{_family}val{_count}"] = partial(_at_each, _val)
        LIBRARY[_home, f"{_family}grid{_count}"] = partial(_on_grid, _val)
        LIBRARY[_home, f"{_family}vander{_count}"] = partial(_vandermonde_of, _vander)


@follows("numpy.polynomial._polybase", "ABCPolyBase.__call__")
def _series_at(trace: Trace, series: Any, arg: Any) -> Any:
    offset, scale = series.mapparms()
    return series._val(offset + scale * _points(trace, arg), series.coef)
