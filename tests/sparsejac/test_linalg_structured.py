"""SciPy's solvers of dense and structured systems, against dense differences."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.linalg as linalg

from dense_checks import check
from linalg_points import S2, A, S, cm, parts, wide, x9, x12, y9, y12
from sparsejac import UntraceableError, sparse_jacobian

rng = np.random.default_rng(1)
band = rng.normal(size=(4, 5))
band[2] += 5
hb = rng.normal(size=(3, 5))
hb[-1] += 6
hl = hb[::-1].copy()


CASES = {
    "solve": (lambda x: linalg.solve(x.reshape(3, 3), x[:6].reshape(3, 2)), S, S2),
    "solve T": (lambda x: linalg.solve(x.reshape(3, 3), x[:6].reshape(3, 2), transposed=True), S, S2),
    "solve c": (lambda x: parts(linalg.solve(cm(x), x[:2] + 1j * x[2:4], assume_a="sym")), x9, y9),
    "solve her c": (lambda x: parts(linalg.solve(cm(x), x[:2] + 1j * x[2:4], assume_a="her")), x9, y9),
    "solve const": (lambda x: linalg.solve(A, x[:3]), x9, y9),
    "solve st": (lambda x: linalg.solve(x[:8].reshape(2, 2, 2), x[:2]), x9, y9),
    "banded": (
        lambda x: linalg.solve_banded((1, 2), x[:20].reshape(4, 5), x[20:]),
        np.r_[band.ravel(), np.ones(5)],
        np.r_[band.ravel() * 1.1, np.ones(5) * 2],
    ),
    "banded m": (
        lambda x: linalg.solve_banded((2, 1), x[:20].reshape(4, 5), x[:15].reshape(5, 3)),
        np.r_[np.roll(band, -1, 0).ravel(), np.ones(5)],
        None,
    ),
    "banded tri": (
        lambda x: linalg.solve_banded((1, 1), x[:15].reshape(3, 5), x[15:20]),
        np.r_[band[1:].ravel(), np.ones(5)],
        None,
    ),
    "banded diag": (
        lambda x: linalg.solve_banded((0, 0), x[:5].reshape(1, 5), x[15:20]),
        np.r_[band[1:].ravel() + 10, np.ones(5)],
        None,
    ),
    "banded const": (lambda x: linalg.solve_banded((1, 2), band, x), np.ones(5), None),
    "bandedc": (
        lambda x: parts(
            linalg.solve_banded(
                (1, 0), x[:6].reshape(2, 3) + 1j * x[6:12].reshape(2, 3) + 5 * np.array([[1], [0.0]]), x[:3]
            )
        ),
        x12,
        y12,
    ),
    "banded 1": (lambda x: linalg.solve_banded((1, 1), x[:3].reshape(3, 1), x[3:4]), x12, y12),
    "hbanded": (
        lambda x: linalg.solveh_banded(x[:15].reshape(3, 5), x[15:]),
        np.r_[hb.ravel(), np.ones(5)],
        np.r_[hb.ravel() * 1.1, np.ones(5) * 2],
    ),
    "hbanded l": (
        lambda x: linalg.solveh_banded(x[:15].reshape(3, 5), x[15:25].reshape(5, 2), lower=True),
        np.r_[hl.ravel(), np.ones(10)],
        np.r_[hl.ravel() * 1.1, np.ones(10) * 2],
    ),
    "hbanded c": (
        lambda x: parts(linalg.solveh_banded((x[:10] + 1j * np.r_[x[10:15], x[15:20]]).reshape(2, 5), x[:5])),
        np.r_[hb[1:].ravel(), 0.1 * np.ones(10)],
        None,
    ),
    "hbanded cl": (
        lambda x: parts(
            linalg.solveh_banded((x[:10] + 1j * np.r_[x[10:15], x[15:20]]).reshape(2, 5), x[:5], lower=True)
        ),
        np.r_[hl[:2].ravel(), 0.1 * np.ones(10)],
        None,
    ),
    "toep": (lambda x: linalg.solve_toeplitz(x[:3], x[3:6]), np.r_[4, 1, 0.5, 1, 2, 3.0], None),
    "toep2": (
        lambda x: linalg.solve_toeplitz((x[:3], x[3:6]), x[:6].reshape(3, 2)),
        np.r_[4, 1, 0.5, 1, 2, 3.0],
        np.r_[4, 1, 0.5, 1, 2, 3.0] * 1.1,
    ),
    "toepc": (
        lambda x: parts(linalg.solve_toeplitz(x[:3] + 1j * x[3:6], x[3:6])),
        np.r_[4, 1, 0.5, 0.0, 0.2, 0.3],
        np.r_[4, 1, 0.5, 0, 0.4, 0.1],
    ),
    "circ": (
        lambda x: linalg.solve_circulant(x[:3], x[3:]),
        np.r_[4, 1, 0.5, 1, 2, 3.0],
        np.r_[4, 1, 0.5, 1, 2, 3.0] * 1.1,
    ),
    "circm": (lambda x: linalg.solve_circulant(x[:3], x.reshape(3, 2)), np.r_[4, 1, 0.5, 1, 2, 3.0], None),
    "inv": (lambda x: linalg.inv(x.reshape(3, 3)), x9, y9),
    "inv pos": (lambda x: linalg.inv(x.reshape(3, 3), assume_a="pos"), S, S2),
    "det": (lambda x: linalg.det(x.reshape(3, 3)), x9, y9),
    "diagsvd": (lambda x: linalg.diagsvd(x[:3], 4, 3), x9, y9),
    "blk": (lambda x: linalg.block_diag(x[:4].reshape(2, 2), x[4], x[5:8], np.ones((1, 2))), x9, y9),
    "circulant": (lambda x: linalg.circulant(x[:3]), x9, y9),
    "toeplitz": (lambda x: linalg.toeplitz(x[:3], x[3:7]), x9, y9),
    "toeplitz1": (lambda x: parts(linalg.toeplitz(x[:3] + 1j * x[3:6])), x9, y9),
    "hankel": (lambda x: linalg.hankel(x[:3]), x9, y9),
    "hankel2": (lambda x: linalg.hankel(x[:3], x[2:7]), x9, y9),
    "conv": (lambda x: linalg.convolution_matrix(x[:3], 4, mode="same"), x9, y9),
    "leslie": (lambda x: linalg.leslie(x[:3], x[3:5]), x9, y9),
    "companion": (lambda x: linalg.companion(x[:4]), x9, y9),
    "companion2": (lambda x: linalg.companion(x[:2]), x9, y9),
    "fiedler": (lambda x: linalg.fiedler(x[:4]), x9, y9),
    "kr": (lambda x: linalg.khatri_rao(x[:4].reshape(2, 2), x[:6].reshape(3, 2)), x9, y9),
}
if "assume_a" not in inspect.signature(linalg.inv).parameters:  # an older SciPy, which takes no stacks either
    del CASES["inv pos"], CASES["solve st"]


@pytest.mark.parametrize("name", CASES)
def test_value_and_jacobian_are_those_of_dense_differences(name):
    check(*CASES[name])


ASSUMED = [
    *("gen", "sym", "her", "pos", "symmetric", "hermitian", "positive definite", "diagonal", "tridiagonal"),
    *("banded", "upper triangular", "lower triangular"),
]


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("assumed", ASSUMED)
def test_solve_reads_what_it_is_told_to_read(assumed, lower):
    try:
        linalg.solve(np.eye(2), np.ones(2), assume_a=assumed, lower=lower)
    except ValueError:
        pytest.skip(f"this SciPy has no assume_a={assumed!r}")
    check(lambda x: linalg.solve(x.reshape(3, 3), x[:3] * 2, assume_a=assumed, lower=lower), S, S2)


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
def test_solve_triangular(trans, lower, unit):
    def solve(a, b):
        return linalg.solve_triangular(a, b, trans, lower=lower, unit_diagonal=unit)

    check(lambda x: solve(x.reshape(3, 3), x[:3]), S, S2)
    check(lambda x: parts(solve(cm(x), x[:4].reshape(2, 2))), S, S2)


def test_a_triangle_reaches_one_way_only():
    J = sparse_jacobian(
        lambda x: linalg.solve_triangular(x[:9].reshape(3, 3), x[9:], lower=True), np.append(S, [1.0, 2, 3])
    )
    assert [J[[k]].indices.tolist() for k in range(3)] == [[0, 9], [0, 3, 4, 9, 10], [0, 3, 4, 6, 7, 8, 9, 10, 11]]


def test_bands_that_are_not_read_have_no_entries():
    x = np.append(band[:3].ravel() + 3.0, np.ones(5))
    J = sparse_jacobian(lambda x: linalg.solve_banded((1, 1), x[:15].reshape(3, 5), x[15:]), x)
    assert not {0, 14} & set(J.indices)
    assert J.nnz == 5 * (20 - 2)


def test_zeros_of_a_constant_band_matrix_sharpen_the_pattern():
    lower = np.array([[2.0, 3, 4, 5, 6], [1, 1, 0, 1, 0]])
    check(lambda x: linalg.solve_banded((1, 0), lower, x), np.arange(1.0, 6), nnz=6 + 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: linalg.solve_circulant(m, np.ones(4)),
        lambda m: linalg.solve(m[:, :3], np.ones(3), assume_a="nonsense"),
    ],
)
def test_options_without_a_rule_are_not_followed_silently(call):
    with pytest.raises((UntraceableError, ValueError)):
        sparse_jacobian(lambda x: call(wide(x)), x12)


def test_numbers_that_are_not_finite_raise_as_in_scipy():
    with pytest.raises(ValueError, match="infs or NaNs"):
        sparse_jacobian(lambda x: linalg.solve(x.reshape(2, 2), np.ones(2)), np.array([1.0, np.nan, 2.0, 3.0]))
