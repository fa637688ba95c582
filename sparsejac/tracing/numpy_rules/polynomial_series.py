"""numpy.polynomial: values and bases of the six families, at points or with coefficients that depend on x.

These functions have no dispatch: they convert what they get to ordinary arrays. Each family is its first two members
and a recurrence of three terms.
"""

from __future__ import annotations

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


for _family, (_module, *_) in _FAMILIES.items():
    _home = f"numpy.polynomial.{_module}"
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
