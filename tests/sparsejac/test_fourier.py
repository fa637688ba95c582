"""np.fft and scipy.fft: values, derivatives against differences, exact patterns, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.fftpack
from numpy.testing import assert_allclose, assert_array_equal

from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian

LIBRARIES = {"numpy": np.fft, "scipy": scipy.fft}
X = np.random.default_rng(0).standard_normal((4, 6))


def parts(z):
    return np.concatenate([np.real(z).ravel(), np.imag(z).ravel()])


def assert_right(f, x, pattern=None, sharp=True):
    """Values, and a pattern: the given one, or that of the nonzeros, which a transform of several axes may exceed."""
    jacobian, expected = sparse_jacobian(f, x), differences(f, x).jacobian
    assert_allclose(jacobian.toarray(), expected, rtol=1e-9, atol=1e-9)
    found = np.zeros(jacobian.shape, dtype=bool)
    found[np.repeat(np.arange(jacobian.shape[0]), np.diff(jacobian.indptr)), jacobian.indices] = True
    nonzero = np.abs(expected) > 1e-7
    assert found[nonzero].all()
    if sharp:
        assert_array_equal(found, nonzero if pattern is None else pattern)
    plan = prepare(f, x)
    assert_allclose(plan(x + 1.0).toarray(), expected, rtol=1e-9, atol=1e-9)
    assert plan.num_variants == 1


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "ihfft"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_real_input(library, name, norm):
    transform = getattr(LIBRARIES[library], name)
    assert_right(lambda x: parts(transform(x, norm=norm)), X)
    assert_right(lambda x: parts(transform(x, 3, 0, norm)), X)
    assert_right(lambda x: parts(transform(x, n=9)), X[0])


@pytest.mark.parametrize("name", ["fft", "ifft", "irfft", "hfft"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_complex_input(library, name):
    transform = getattr(LIBRARIES[library], name)
    assert_right(lambda x: parts(transform(x[:, :3] + 1j * x[:, 3:])), X)
    assert_right(lambda x: parts(transform(x[:, :3] + 1j * x[:, 3:], n=5, axis=0)), X)


@pytest.mark.parametrize("name", ["fft2", "ifft2", "rfft2", "fftn", "ifftn", "rfftn"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_several_axes(library, name):
    transform = getattr(LIBRARIES[library], name)
    x = X[:3, :4]
    assert_right(lambda x: parts(transform(x)), x, sharp=False)
    assert_right(lambda x: parts(transform(x, s=(2, 5), axes=(1, 0))), x, sharp=False)


@pytest.mark.parametrize("name", ["irfft2", "irfftn"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_several_axes_back(library, name):
    transform = getattr(LIBRARIES[library], name)

    def f(x):
        return transform(x[:, :3] + 1j * x[:, 3:])

    assert_right(f, X, sharp=False)


@pytest.mark.parametrize("name", ["hfft2", "hfftn", "ihfft2", "ihfftn"])
def test_hermitian_over_several_axes(name):
    transform = getattr(scipy.fft, name)

    def f(x):
        return parts(transform(x if name.startswith("i") else x[:, :3] + 1j * x[:, 3:]))

    assert_right(f, X, sharp=False)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
def test_trigonometric(name, kind, norm):
    transform = getattr(scipy.fft, name)
    assert_right(lambda x: transform(x, kind, axis=0, norm=norm), X)
    assert_right(lambda x: transform(x, type=kind, n=4, norm=norm, overwrite_x=True, workers=1), X[0])
    several = getattr(scipy.fft, name + "n")

    def f(x):
        return several(x, kind, norm=norm)

    assert_right(f, X[:3, :4], sharp=False)


def test_local_along_one_axis():
    jacobian = sparse_jacobian(lambda x: np.fft.rfft(x, axis=1).real, X)
    blocks = np.kron(np.eye(4, dtype=bool), np.abs(np.fft.rfft(np.eye(6), axis=0).real) > 1e-9)
    assert jacobian.nnz == blocks.sum()
    assert_array_equal(jacobian.toarray() != 0.0, blocks)


def test_zero_entries_are_no_entries():
    # cos and sin of multiples of a quarter turn.
    assert sparse_jacobian(lambda x: np.fft.fft(x).real, np.ones(4)).nnz == 12
    assert sparse_jacobian(lambda x: np.fft.fft(x).imag, np.ones(4)).nnz == 4


def test_products_in_frequency_space():
    kernel = np.array([0.5, 1.0, 0.0, 0.0, 0.0, 0.25])

    def circular(x):
        return np.real(np.fft.ifft(np.fft.fft(x) * np.fft.fft(kernel)))

    expected = np.array([[kernel[(i - j) % 6] for j in range(6)] for i in range(6)])
    assert_allclose(sparse_jacobian(circular, X[0]).toarray(), expected, atol=1e-14)

    def derivative(x):
        return np.fft.irfft(1j * 2 * np.pi * np.fft.rfftfreq(6) * np.fft.rfft(x), 6)

    assert_allclose(sparse_jacobian(derivative, X[0]).toarray(), differences(derivative, X[0]).jacobian, atol=1e-9)
    assert_allclose(
        sparse_jacobian(lambda x: np.abs(np.fft.fft(x**2)) ** 2, X[0]).toarray(),
        differences(lambda x: np.abs(np.fft.fft(x**2)) ** 2, X[0]).jacobian,
        rtol=1e-8,
        atol=1e-8,
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_shifts(library):
    fft = LIBRARIES[library]
    assert_right(lambda x: fft.fftshift(x) + 2 * x, X)
    assert_right(lambda x: fft.ifftshift(x, axes=1), X)
    assert_right(lambda x: fft.fftfreq(6) * x, X[:, :] + 0.0, pattern=np.eye(24, dtype=bool) & (np.arange(24) % 6 > 0))


def test_values_and_forms():
    x = X[0]
    seen = []

    def f(x):
        seen.append(repr(np.fft.rfft(x)) + repr(scipy.fft.dct(x)))
        return abs(scipy.fft.rfft([x[0], 2.0, x[1] * x[2]])) + np.fft.irfft(a=x, n=2) + scipy.fft.irfft(x=x, n=2)

    assert_allclose(sparse_jacobian(f, x).toarray(), differences(f, x).jacobian, atol=1e-9)
    assert seen[0] == repr(np.fft.rfft(x)) + repr(scipy.fft.dct(x))


def test_sizes():
    assert_right(lambda x: parts(np.fft.fft(x)), np.array([2.0]), pattern=np.array([[True], [False]]))
    assert sparse_jacobian(lambda x: np.fft.rfft(x, axis=0).real, np.empty((3, 0))).shape == (0, 0)
    with pytest.raises(ValueError, match="Invalid number of FFT data points"):
        sparse_jacobian(lambda x: np.fft.fft(x).real, np.empty(0))


def test_refusals():
    with pytest.raises(UntraceableError, match="more than"):
        sparse_jacobian(lambda x: np.fft.fft(x).real, np.zeros(5000))
    with pytest.raises(UntraceableError, match=r"use scipy\.fft\.dct"):
        sparse_jacobian(scipy.fftpack.dct, np.zeros(5))
    with pytest.raises(UntraceableError, match="single precision"):
        sparse_jacobian(lambda x: np.fft.fft(x.astype(np.float32)).real, np.zeros(5))
