"""Attributes of arrays that f makes: whether one may write into them, how they lie in memory, what type they are."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import differences, flat_value

X = np.array([0.77, 1.53, -0.61])


def unless_read_only(write: Callable[[Any, Any], Any], make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What was written into an array, or three times that array where it takes nothing."""

    def f(x: Any) -> Any:
        y = make(x)
        try:
            write(y, x)
        except ValueError:
            return y * 3.0 + x
        return y

    return f


def fixed(make: Callable[[Any], Any], **flags: Any) -> Callable[[Any], Any]:
    def made(x: Any) -> Any:
        y = make(x)
        y.setflags(**flags)
        return y

    return made


def fixed_by_attribute(x: Any) -> Any:
    y = x * 2.0
    y.flags.writeable = False
    return y


def fixed_by_item(x: Any) -> Any:
    y = np.zeros(3)
    y.flags["WRITEABLE"] = False
    return y


def earlier_view(x: Any) -> Any:
    y = x * 2.0
    view = y[1:]
    y.setflags(write=False)
    view[0] = x[2] ** 2
    return y


def set_item(y: Any, x: Any) -> None:
    y[0] = x[1]


def add(y: Any, x: Any) -> None:
    y += x


def set_view(y: Any, x: Any) -> None:
    y.reshape(3, 1)[1:] = x[0]


def give_out(y: Any, x: Any) -> None:
    np.sin(x, out=y)


MAKERS: dict[str, Callable[[Any], Any]] = {
    "zeros": fixed(lambda x: np.zeros(3), write=False),
    "values of x": fixed(lambda x: x**2, write=0),
    "a view": fixed(lambda x: np.stack([x, x])[1], write=False, align=True),
    "an attribute": fixed_by_attribute,
    "an item": fixed_by_item,
    "a view from before": earlier_view,
    "still writable": fixed(lambda x: x**2, write=True),
    "a copy": lambda x: fixed(lambda x: x**2, write=False)(x).copy(),
}
WRITES = {"item": set_item, "operator": add, "view": set_view, "out": give_out}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("write", WRITES)
def test_writes_into_what_is_read_only(make: str, write: str) -> None:
    f = unless_read_only(WRITES[write], MAKERS[make])
    value, jacobian = sparsejac.value_and_jacobian(f, X)
    np.testing.assert_allclose(value, flat_value(f, X), rtol=1e-15)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, X).jacobian, rtol=1e-7, atol=1e-8)


READ: dict[str, Callable[[Any], Any]] = {
    "flags": lambda x: x * (2.0 if x.flags.c_contiguous and not x[::2].flags["C_CONTIGUOUS"] else 3.0),
    "flags in Fortran's order": lambda x: x * (2.0 if np.outer(x, x)[:, :1].T.flags.f_contiguous else 3.0),
    "strides": lambda x: x * np.zeros((4, 3)).T.strides[1],
    "type": lambda x: x * (2.0 if builtins.type(x) is np.ndarray and builtins.len(x) == 3 else 3.0),
    "type of a number": lambda x: x * (2.0 if builtins.type(x[0]) is np.float64 else 3.0),
}


@pytest.mark.parametrize("name", READ)
def test_read_attributes(name: str) -> None:
    value, jacobian = sparsejac.value_and_jacobian(READ[name], X)
    np.testing.assert_array_equal(value, READ[name](X))
    np.testing.assert_allclose(jacobian.toarray(), differences(READ[name], X).jacobian, rtol=1e-9, atol=1e-9)


def setting_strides(x: Any) -> Any:
    y = x * 2.0
    y.strides = (16,)
    return y


def setting_strides_of_zeros(x: Any) -> Any:
    y = np.zeros(3)
    y.strides = (0,)
    return y + x


REFUSED: dict[str, Callable[[Any], Any]] = {
    "strides": setting_strides,
    "strides of zeros": setting_strides_of_zeros,
    "writable again": fixed(fixed_by_attribute, write=True),
    "flags of an order that is not known": lambda x: x * (np.outer(x, x).T * 2.0).flags.c_contiguous,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_attributes(name: str) -> None:
    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)(strides|setflags|flags).*test_array_attr.*Cure: "):
        sparsejac.sparse_jacobian(REFUSED[name], X)
