"""scipy.ndimage and scipy.signal: filters against differences, exact bands, convolutions of two signals, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd
import scipy.signal as sg
from numpy.testing import assert_allclose, assert_array_equal

from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian

RNG = np.random.default_rng(0)
X = RNG.standard_normal(17)
IMAGE = RNG.standard_normal((6, 5))
WEIGHTS = np.array([1.0, 0.0, -2.0, 0.5])
KERNEL = np.array([[0.7, 0.0], [-1.3, 0.2], [0.4, 2.1]])
MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]


def assert_right(f, x, sharp=True):
    """Values at two points by one plan; the pattern holds the nonzeros, and nothing else where it is sharp."""
    jacobian, expected = sparse_jacobian(f, x), differences(f, x).jacobian
    assert_allclose(jacobian.toarray(), expected, rtol=1e-8, atol=1e-8)
    rows = np.repeat(np.arange(jacobian.shape[0]), np.diff(jacobian.indptr))
    found = np.zeros(jacobian.shape, dtype=bool)
    found[rows, jacobian.indices] = True
    assert found[np.abs(expected) > 1e-7].all()
    if sharp:
        assert_array_equal(found, np.abs(expected) > 1e-11)
    plan = prepare(f, x)
    assert_allclose(plan(x + 0.7).toarray(), differences(f, x + 0.7).jacobian, rtol=1e-8, atol=1e-8)
    assert plan.num_variants == 1
    return jacobian


@pytest.mark.parametrize("mode", MODES)
def test_ndimage(mode):
    assert_right(lambda x: nd.correlate1d(x, WEIGHTS, mode=mode, cval=1.5, origin=1), X)
    assert_right(lambda x: nd.convolve1d(x, WEIGHTS, 0, mode=mode), IMAGE)
    assert_right(lambda x: nd.correlate(x, KERNEL, mode=mode, cval=-2.0), IMAGE)
    assert_right(lambda x: nd.convolve(x, KERNEL, mode=mode, origin=(1, -1)), IMAGE)
    assert_right(lambda x: nd.gaussian_filter(x, (0.6, 0.3), mode=mode, truncate=2.0), IMAGE)
    assert_right(lambda x: nd.gaussian_filter(x, 0.5, order=(1, 0), mode=mode, truncate=2.0), IMAGE)
    assert_right(lambda x: nd.gaussian_filter1d(x, 0.7, mode=mode, radius=2), X)
    assert_right(lambda x: nd.uniform_filter(x, (2, 3), mode=mode, origin=(-1, 0)), IMAGE)
    assert_right(lambda x: nd.uniform_filter1d(x, 4, axis=0, mode=mode), IMAGE)
    assert_right(lambda x: nd.laplace(x, mode=mode), IMAGE)
    assert_right(lambda x: nd.sobel(x, 0, mode=mode), IMAGE)
    assert_right(lambda x: nd.prewitt(x, mode=mode), IMAGE)
    assert_right(lambda x: nd.gaussian_laplace(x, 0.4, mode=mode), IMAGE)


def test_different_modes_and_axes():
    assert_right(lambda x: nd.gaussian_filter(x, 0.5, mode=["wrap", "reflect"], truncate=2), IMAGE)
    assert_right(lambda x: nd.uniform_filter(x, 3, axes=(1,)), IMAGE)
    assert_right(lambda x: nd.gaussian_filter(np.stack([x, 2 * x]), 0.5, axes=(2,), truncate=2), IMAGE)


def test_geometry_of_constant_coordinates():
    assert_right(lambda x: nd.shift(x, 1.5, order=1), X)
    assert_right(lambda x: nd.zoom(x, 2, order=1), X)
    assert_right(lambda x: nd.shift(x, (0.5, -1.2)), IMAGE, sharp=False)
    assert_right(lambda x: nd.map_coordinates(x, [[0.5, 1.5, 2.2], [2.2, 3.0, 3.9]], order=1), IMAGE)
    assert_right(lambda x: nd.rotate(x, 30.0, order=1, reshape=False), IMAGE, sharp=False)
    assert_right(lambda x: nd.spline_filter(x), IMAGE, sharp=False)


def test_band_of_a_long_signal():
    n = 4000
    jacobian = sparse_jacobian(lambda x: nd.correlate1d(x**2, [1.0, 0.0, -2.0], mode="constant"), np.ones(n))
    assert jacobian.nnz == 2 * (n - 1)
    i, j = jacobian.tocoo().coords
    assert set((j - i).tolist()) == {-1, 1}
    smooth = sparse_jacobian(lambda x: sg.savgol_filter(x, 5, 2), np.ones(n))
    assert smooth.nnz == 5 * n
    fir = sparse_jacobian(lambda x: sg.lfilter(WEIGHTS, 1.0, x), np.ones(n))
    assert fir.nnz == n + (n - 2) + (n - 3)


@pytest.mark.parametrize("name", ["convolve", "fftconvolve", "oaconvolve", "correlate"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolutions(name, mode):
    function, x = getattr(sg, name), X
    assert_right(lambda x: function(x, WEIGHTS, mode), x)
    assert_right(lambda x: function(WEIGHTS, x, mode=mode), x)
    assert_right(lambda x: function(IMAGE, x.reshape(3, 2), mode), KERNEL.ravel())
    assert_right(lambda x: function(x[:7], x[7:], mode), x)
    assert_right(lambda x: function(x[:12], x[12:], mode), x)


@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_complex_convolutions(name):
    function = getattr(sg, name)

    def f(x):
        y = function(x[:4] + 2j * x[3:7], 1j * x[7:10] + x[10:13], mode="full")
        return np.concatenate([y.real, y.imag])

    assert_right(f, X[:13])


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolutions_in_the_plane(name, mode):
    function = getattr(sg, name)
    assert_right(lambda x: function(x, KERNEL, mode), IMAGE)
    assert_right(lambda x: function(IMAGE, x, mode), KERNEL)
    assert_right(lambda x: function(x, KERNEL, mode, boundary="symm"), IMAGE)
    assert_right(lambda x: function(x, KERNEL, mode, boundary="wrap"), IMAGE)
    assert_right(lambda x: function(x, KERNEL, mode, fillvalue=3.0), IMAGE)


B, A = sg.butter(2, 0.3)
SOS = sg.butter(3, 0.2, output="sos")
SIGNALS = {
    "lfilter": lambda x: sg.lfilter(B, A, x),
    "lfilter along axis": lambda x: sg.lfilter(WEIGHTS, [2.0], x.reshape(17, 1) * np.ones(2), axis=0),
    "sosfilt": lambda x: sg.sosfilt(SOS, x),
    "filtfilt": lambda x: sg.filtfilt(B, A, x),
    "sosfiltfilt": lambda x: sg.sosfiltfilt(SOS, x, padlen=3),
    "savgol": lambda x: sg.savgol_filter(x, 5, 2),
    "savgol mirror": lambda x: sg.savgol_filter(x, 5, 2, deriv=1, mode="mirror"),
    "savgol wrap": lambda x: sg.savgol_filter(x, 5, 2, mode="wrap"),
    "savgol constant": lambda x: sg.savgol_filter(x, 5, 2, mode="constant", cval=2.0),
    "detrend": sg.detrend,
    "detrend constant": lambda x: sg.detrend(x[:, None] * np.array([1.0, 2.0]), axis=0, type="constant", bp=[5]),
    "hilbert": lambda x: np.imag(sg.hilbert(x)),
    "envelope": lambda x: np.abs(sg.hilbert(x)),
    "resample": lambda x: sg.resample(x, 11, window=("kaiser", 5.0)),
    "resample_poly": lambda x: sg.resample_poly(x, 3, 2),
    "upfirdn": lambda x: sg.upfirdn(WEIGHTS, x, 2, 3),
    "decimate": lambda x: sg.decimate(np.concatenate([x, x]), 2, n=2, ftype="fir"),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_signals(name):
    assert_right(SIGNALS[name], X, sharp=name in ("upfirdn", "lfilter along axis"))


def test_values_are_those_of_scipy():
    seen = []

    def f(x):
        seen.append([repr(nd.gaussian_filter(x, 1.0)), repr(sg.fftconvolve(x, WEIGHTS)), repr(sg.hilbert(x))])
        return x

    sparse_jacobian(f, X)
    assert seen == [[repr(nd.gaussian_filter(X, 1.0)), repr(sg.fftconvolve(X, WEIGHTS)), repr(sg.hilbert(X))]]


def test_output():
    def f(x):
        y = np.zeros(17)
        nd.correlate1d(x, WEIGHTS, output=y)
        return y * x

    assert_right(f, X)
    assert_right(lambda x: nd.correlate1d(x, WEIGHTS, output=np.float64), X)


def test_other_options_have_another_matrix():
    for weights in (WEIGHTS, 2 * WEIGHTS, WEIGHTS[::-1]):
        assert_right(lambda x, w=weights: nd.correlate1d(x, w), X)
    for size in (17, 9, 2):
        assert_right(lambda x: sg.lfilter(B, A, x), X[:size], sharp=False)


@pytest.mark.parametrize("n", [0, 1])
def test_small(n):
    assert sparse_jacobian(lambda x: nd.gaussian_filter1d(x, 1.0), X[:n]).shape == (n, n)
    assert sparse_jacobian(lambda x: nd.gaussian_filter(x, 1.0), IMAGE[:n, :2]).shape == (2 * n, 2 * n)
    assert sparse_jacobian(lambda x: sg.convolve2d(x, KERNEL), IMAGE[:1, : n + 1]).shape == (3 * (n + 2), n + 1)


REFUSED = {
    "median_filter": lambda x: nd.median_filter(x, 3),
    "maximum_filter": lambda x: nd.maximum_filter(x, 3),
    "correlate1d with weights": lambda x: nd.correlate1d(x, x[:3]),
    "map_coordinates with coordinates": lambda x: nd.map_coordinates(X, [x]),
    "output": lambda x: nd.correlate1d(x, WEIGHTS, output=np.float32),
    "gaussian_filter1d of values of dtype": lambda x: nd.gaussian_filter1d(1j * x, 1.0).imag,
    "medfilt": lambda x: sg.medfilt(x, 3),
    "welch": lambda x: sg.welch(x)[1],
    "lfilter with b": lambda x: sg.lfilter(x[:2], [1.0], x),
    "zi": lambda x: sg.lfilter(B, A, x, zi=np.zeros(2))[0],
    "axes": lambda x: sg.fftconvolve(x, x, axes=0),
    "resample_poly, |one sparse matrix": lambda x: sg.resample_poly(x, 3, 2, padtype="median"),
    "resample with this window": lambda x: sg.resample(x, 9, window=lambda f: f * 0 + 1),
    "boundary": lambda x: sg.convolve2d(IMAGE, x.reshape(17, 1), boundary="wrap"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    with pytest.raises(UntraceableError, match=name):
        sparse_jacobian(REFUSED[name], X)


def test_too_large_is_refused():
    with pytest.raises(UntraceableError, match="more than"):
        sparse_jacobian(lambda x: sg.sosfilt(SOS, x), np.ones(20000))
    with pytest.raises(UntraceableError, match="more than"):
        sparse_jacobian(lambda x: sg.fftconvolve(x, x), np.ones(5000))
