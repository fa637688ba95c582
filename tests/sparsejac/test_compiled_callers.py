"""Compiled code that calls np.empty gets the array that it asked for, whatever names of f lead to NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles import differences
from sparsejac import UntraceableError, sparse_jacobian

GENERATOR = np.random.default_rng(3)


class Tools:
    fresh = np.empty
    uniform = np.empty


BOTH = {"uniform": GENERATOR.uniform, "empty": np.empty}


def by_method(x: Any) -> Any:
    return x * GENERATOR.uniform(size=3)


def after_buffers(x: Any) -> Any:
    y = np.empty(3)
    y[:] = x * GENERATOR.uniform(size=3) * GENERATOR.random(3)
    return y


def out_of_a_dict(x: Any) -> Any:
    return x * BOTH["uniform"](size=3)


def by_another_name(x: Any) -> Any:
    y = Tools.fresh(3)
    y[:] = x**2
    return y


def by_the_name_of_a_generator(x: Any) -> Any:
    y = Tools.uniform(3)
    y[:] = x**2
    return y


def from_a_dict(x: Any) -> Any:
    y = BOTH["empty"](3)
    y[:] = x**2
    return y


@pytest.mark.parametrize("f", [by_method, after_buffers, out_of_a_dict])
def test_random_numbers_are_constants(f: Callable[[Any], Any]) -> None:
    """A name that once led to np.empty in another function does not lead there for ever."""
    sparse_jacobian(by_another_name, np.ones(3))
    values = sparse_jacobian(f, np.ones(3)).diagonal()
    assert np.all((values > 0.0) & (values < 1.0))


@pytest.mark.parametrize("f", [by_another_name])
def test_buffers_made_under_other_names_are_followed(f: Callable[[Any], Any]) -> None:
    x = np.array([0.5, 1.5, 2.0])
    np.testing.assert_allclose(sparse_jacobian(f, x).toarray(), differences(f, x).jacobian, rtol=1e-7)


@pytest.mark.parametrize("f", [by_the_name_of_a_generator, from_a_dict])
def test_what_may_be_a_call_of_compiled_code_is_refused_and_never_crashes(f: Callable[[Any], Any]) -> None:
    with pytest.raises(UntraceableError, match="ordinary array"):
        sparse_jacobian(f, np.ones(3))
