"""Functions traced one after another in one process do not disturb one another."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import Array

X = np.array([0.5, 1.5, 2.5])
A, B = np.array([2.0, 3.0, 4.0]), np.array([20.0, 30.0, 40.0])


def plain(x: Array) -> Any:
    """Give A * x."""
    return x * A


def with_dead_constant_before(x: Array) -> Any:
    """Give A * x; a line that nobody reads comes first."""
    np.sin(x) * B
    return x * A


def with_dead_constant_after(x: Array) -> Any:
    """Give A * x; a longer constant is used for nothing afterwards."""
    y = x * A
    np.concatenate([x, x]) * np.arange(6.0)
    return y


def with_dead_scalars(x: Array) -> Any:
    """Give A * x among numbers of no effect."""
    np.pad(x, (1, 2), constant_values=7.0)
    y = x * A
    np.hstack([y, 1.0, y[0]])
    return y


SAME = (plain, with_dead_constant_before, with_dead_constant_after, with_dead_scalars)


@pytest.mark.parametrize("second", SAME)
@pytest.mark.parametrize("first", SAME)
def test_dead_constants(first: Any, second: Any) -> None:
    """Equal results with different unused constants, in either order."""
    for f in (first, second, first):
        np.testing.assert_allclose(sparsejac.sparse_jacobian(f, X).data, A)
        np.testing.assert_allclose(sparsejac.value_and_jacobian(f, X)[0], A * X)


def test_same_structure_other_values() -> None:
    """One structure, many constants and scalars: each call has its own."""
    for k in range(5):
        for c in (0.0, 1.0, -2.5):
            np.testing.assert_allclose(
                sparsejac.sparse_jacobian(lambda x, k=k, c=c: x * (A + k) + c * x, X).data, A + k + c
            )


def test_same_operations_other_structure() -> None:
    """Equal counts of equal operations on other indices, exponents, axes."""
    for i in range(3):
        found = sparsejac.sparse_jacobian(lambda x, i=i: x[i] * x[(i + 1) % 3], X).toarray()
        expected = np.zeros((1, 3))
        expected[0, i], expected[0, (i + 1) % 3] = X[(i + 1) % 3], X[i]
        np.testing.assert_allclose(found, expected)
    for p in (1, 2, 3, 0.5, -1, -2.5, 0):
        np.testing.assert_allclose(
            sparsejac.sparse_jacobian(lambda x, p=p: x**p, X).toarray(), np.diag(p * X ** (p - 1.0))
        )


def test_which_argument_is_differentiated() -> None:
    """One function of two vectors of equal shape, by the first and by the second."""

    def f(a: Array, b: Array) -> Any:
        return a * a * b

    for _ in range(2):
        np.testing.assert_allclose(sparsejac.jacobian(f, 0)(A, B).data, 2.0 * A * B)
        np.testing.assert_allclose(sparsejac.jacobian(f, 1)(A, B).data, A * A)
        np.testing.assert_allclose(sparsejac.jacobian(lambda a, b: a - b, 0)(A, B).data, 1.0)
        np.testing.assert_allclose(sparsejac.jacobian(lambda a, b: a - b, 1)(A, B).data, -1.0)


CONSTANTS = (
    "np.random.rand(3)",
    "np.random.default_rng(0).normal(size=3)",
    "np.random.default_rng(0).permutation(3)",
    "scipy.special.roots_legendre(3)[0]",
    "scipy.interpolate.CubicSpline(np.arange(4.0), np.arange(4.0) ** 2)([0.5, 1.5, 2.5])",
    "scipy.sparse.csgraph.shortest_path(np.ones((3, 3)))[0]",
    "scipy.spatial.cKDTree(np.eye(3)).query(np.zeros(3), k=3)[0]",
)

IN_FORKS = """
import os, traceback
import numpy as np, sparsejac
import scipy.special, scipy.interpolate, scipy.sparse.csgraph, scipy.sparse.linalg, scipy.spatial
DIFFERENTIATED = '''
kept = []
def f(x):
    kept.append({constant})
    return x * kept[-1]
found = sparsejac.sparse_jacobian(f, np.ones(3))
assert type(kept[-1]) is np.ndarray, type(kept[-1])
assert np.array_equal(found.toarray(), np.diag(kept[-1])), found.toarray()
'''
def ends_well(constant):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        exec(DIFFERENTIATED.format(constant=constant), globals())
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
failed = [constant for constant in CONSTANTS if not ends_well(constant)]
assert CONSTANTS and not failed, failed
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_compiled_helpers_with_plain_arrays() -> None:
    """Compiled code that f calls with constants makes arrays of its own: they must be real ones.

    Each in a process of its own, for a wrong one crashes.
    """
    program = f"CONSTANTS = {CONSTANTS!r}\n{IN_FORKS}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-1500:]
