"""Filters of signals and states: Kalman, convolutions, FFT, wavelets, recursive filters."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal
from scipy import ndimage
from scipy.linalg import solve_triangular, toeplitz

from cases import Collector
from oracles import Array

collect = Collector()


@collect(9, 0.2, 1.5)
def kalman_innovations(z: Array) -> Any:
    """Filter with unknown noise levels and data; gain by np.linalg.inv."""
    q, r, data = z[0], z[1], z[2:]
    a, h = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    state, p = np.zeros(2), np.eye(2)
    out = []
    for y in data:
        state, p = a @ state, a @ p @ a.T + q * np.diag([0.1, 1.0])
        s = h @ p @ h.T + r * np.eye(1)
        gain = p @ h.T @ np.linalg.inv(s)
        innovation = y - h @ state
        state = state + gain @ innovation
        p = (np.eye(2) - gain @ h) @ p
        out.append(innovation[0] / np.sqrt(s[0, 0]))
    return np.array(out)


@collect(8, 0.2, 1.5)
def smoother_by_solve(z: Array) -> Any:
    """One filter step with two measurements, gain by np.linalg.solve, Joseph's form."""
    x, noise, data = z[:3], z[3:5], z[5:7]
    p = np.diag(z[5:8] ** 2) + 0.1
    h = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -0.2]])
    s = h @ p @ h.T + np.diag(noise)
    gain = np.linalg.solve(s.T, (p @ h.T).T).T
    x = x + gain @ (data - h @ x)
    left = np.eye(3) - gain @ h
    p = left @ p @ left.T + gain @ np.diag(noise) @ gain.T
    return np.concatenate([x, p[np.triu_indices(3)]])


@collect(13, analytic=True)
def savitzky_golay(y: Array) -> Any:
    """Smoothing by np.convolve, the residual against a second difference."""
    kernel = np.array([-3.0, 12.0, 17.0, 12.0, -3.0]) / 35
    return np.convolve(y, kernel, mode="valid") + 0.1 * np.diff(y, 2)[1:-1] ** 2


@collect((5, 6), 0.1, 1.0)
def image_deblurring(image: Array) -> Any:
    """Blur by scipy.signal.convolve2d, smoothed total variation as a penalty."""
    blur = np.array([[0.05, 0.1, 0.05], [0.1, 0.4, 0.1], [0.05, 0.1, 0.05]])
    blurred = scipy.signal.convolve2d(image, blur, mode="same", boundary="symm")
    gx, gy = np.diff(image, axis=1, append=image[:, -1:]), np.diff(image, axis=0, append=image[-1:])
    tv = np.sqrt(gx**2 + gy**2 + 1e-2)
    return np.hstack([(blurred - 0.5).ravel(), tv[:4].ravel()])


@collect(12)
def blind_deconvolution(z: Array) -> Any:
    """Signal and kernel both unknown, scipy.signal.convolve in full."""
    signal, kernel = z[:9], z[9:]
    return scipy.signal.convolve(signal, kernel, mode="full") - np.linspace(0.0, 1.0, 11)


@collect(12, exact=False)
def fft_convolution(z: Array) -> Any:
    """The same by products of transforms, zero padded."""
    n = 16
    a, b = np.fft.rfft(z[:8], n), np.fft.rfft(z[8:], n)
    return np.fft.irfft(a * b, n)[:11]


@collect(14, -1.0, 1.0)
def biquad_cascade(z: Array) -> Any:
    """Two recursive sections sample by sample, feedback coefficients unknown."""
    sections, signal = z[:4].reshape(2, 2), z[4:]
    for a1, a2 in sections:
        out = np.zeros_like(signal)
        w1 = w2 = 0.0
        for k, s in enumerate(signal):
            w0 = s - 0.5 * a1 * w1 - 0.3 * a2 * w2
            out[k] = w0 + 0.5 * w1 + 0.25 * w2
            w2, w1 = w1, w0
        signal = out
    return signal


@collect(10, analytic=True)
def recursive_filter(x: Array) -> Any:
    """scipy.signal.lfilter with fixed coefficients, squared."""
    return scipy.signal.lfilter([0.2, 0.3], [1.0, -0.5, 0.1], x)[1:] ** 2


@collect((4, 7))
def gaussian_and_sobel(image: Array) -> Any:
    """scipy.ndimage: a smoothing and an edge filter."""
    smooth = ndimage.gaussian_filter1d(image, 1.0, axis=1, mode="nearest")
    edges = ndimage.convolve(smooth, np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]), mode="reflect")
    return (edges**2 + ndimage.correlate1d(image, [0.25, 0.5, 0.25], axis=0, mode="constant"))[:3]


@collect(16, exact=False)
def wavelet_lifting(s: Array) -> Any:
    """Three levels of an in-place lifting scheme on strided slices, soft-thresholded smoothly."""
    w = s.copy()
    step = 1
    while step < 8:
        even, odd = w[:: 2 * step], w[step :: 2 * step]
        odd -= 0.5 * (even + np.roll(even, -1))
        even += 0.25 * (odd + np.roll(odd, 1))
        step *= 2
    return w * np.tanh(w**2 / 0.1)


@collect(9, branches=True)
def running_median(x: Array) -> Any:
    """Median of a sliding window."""
    windows = np.lib.stride_tricks.sliding_window_view(x, 3)
    return np.median(windows, axis=-1) * x[1:-1]


@collect(11)
def autocorrelation_yule_walker(x: Array) -> Any:
    """Autocorrelation by np.correlate, linear prediction by a Toeplitz solve."""
    full = np.correlate(x, x, mode="full")
    r = full[x.size - 1 :][:4]
    a = np.linalg.solve(toeplitz(r[:3]) + 0.1 * np.eye(3), r[1:])
    return np.append(a, r[0])


@collect(6, 0.2, 1.0)
def square_root_update(z: Array) -> Any:
    """Cholesky factor of a covariance, whitened data by solve_triangular, log-determinant from its diagonal."""
    d = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    covariance = z[0] * np.exp(-d / (0.5 + z[1])) + 0.1 * np.eye(4)
    factor = np.linalg.cholesky(covariance)
    white = solve_triangular(factor, z[2:], lower=True)
    return np.append(white, 2 * np.sum(np.log(np.diag(factor))))
