"""The whole catalogue once more: x in parts, results in parts, in place, with something beside, in batches, local."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import sparsejac
from cases import Array, Case, oracle, tolerance
from catalogue import CASES

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def close(found: Any, case: Case, k: int = 0) -> None:
    estimate = oracle(case, k)
    assert found.shape == estimate.jacobian.shape
    assert np.all(np.abs(found.toarray() - estimate.jacobian) <= tolerance(estimate))


def flat_result(case: Case, x: Any) -> Any:
    """The result as a vector, as NumPy would make one of it."""
    result = case.f(x, *case.args)
    return np.reshape(np.stack(result) if isinstance(result, list | tuple) else result, (-1,))


@every_case
def test_x_and_result_in_parts(case: Case) -> None:
    """Cut anywhere and put together inside f: the blocks, put together, are the Jacobian."""
    x, rng = case.point(), np.random.default_rng(len(case.name))
    cut = int(rng.integers(0, x.size + 1))
    at = int(rng.integers(0, oracle(case).jacobian.shape[0] + 1))

    def f(parts: Any) -> Any:
        whole = np.concatenate([parts["a"], [parts["b"][0]] if cut < x.size else [], *parts["b"][1:]])
        y = flat_result(case, np.reshape(whole, case.shape))
        return {"first": y[:at], "rest": (y[at:],)}

    line = x.reshape(-1)
    tail = (float(line[cut]), line[cut + 1 :]) if cut < x.size else (0.0, line[cut:])
    J = sparsejac.sparse_jacobian(f, {"a": line[:cut], "b": tail})
    blocks = [[row["a"], row["b"][0], row["b"][1]] for row in (J["first"], J["rest"][0])]
    if cut == x.size:
        assert blocks[0][1].nnz == blocks[1][1].nnz == 0
        blocks = [[row[0], row[2]] for row in blocks]
    close(sp.vstack([sp.hstack(row) for row in blocks]), case)


@every_case
def test_in_place_with_something_beside(case: Case) -> None:
    """Written into a buffer; the result comes back as plain numbers too."""
    x = case.point()

    def f(out: Any, z: Any) -> Any:
        y = flat_result(case, z)
        out[:] = y
        return {"y": y, "x": z}

    size = oracle(case).jacobian.shape[0]
    value, J, beside = sparsejac.value_and_jacobian(f, x, out_argument=0, out_like=size, has_aux=True)
    close(J, case)
    np.testing.assert_array_equal(beside["y"], value)
    z = x.copy()
    np.testing.assert_allclose(value, np.ravel(np.array(case.f(z, *case.args))), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(beside["x"], z, rtol=1e-12)  # f may have written into it


@every_case
def test_batches(case: Case) -> None:
    """Point by point what the oracle says, whatever way f takes there."""
    points = [0, 2, 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = sparsejac.sparse_jacobian(case.f, np.array([case.point(k) for k in points]), *case.args, batch=True)
    for matrix, k in zip(found, points, strict=True):
        close(matrix, case, k)


@every_case
def test_local_patterns(case: Case) -> None:
    """No number is lost, and the pattern is a part of the one for all x."""
    x: Array = case.point()
    whole = sparsejac.sparse_jacobian(case.f, x, *case.args)
    local = sparsejac.sparse_jacobian(case.f, x, *case.args, local=True)
    close(local, case)
    np.testing.assert_array_equal(local.toarray(), whole.toarray())
    marks = [np.asarray(sparsejac.Pattern.from_scipy(J).to_scipy().toarray(), dtype=bool) for J in (local, whole)]
    assert not np.any(marks[0] & ~marks[1])
