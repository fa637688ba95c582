"""Points and shapes that the tests of linear algebra share."""

from __future__ import annotations

import numpy as np

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 3))
B = rng.normal(size=(3, 2))
x9 = rng.normal(size=9)
y9 = x9 + 0.1 * rng.normal(size=9)
x12 = rng.normal(size=12)
y12 = x12 + 0.1 * rng.normal(size=12)
S = (A @ A.T + np.eye(3)).ravel()
S2 = S + 0.1 * rng.normal(size=9)
ROT = np.array([0.3, -2, 0.1, 1, 0.2, 0.4, 0.2, 0.1, 1.3])
APART = np.array([1, 0.2, 0.3, 0.1, 2, 0.2, 0.4, 0.5, 3.0])


def parts(z):
    return np.concatenate([np.ravel(z.real), np.ravel(z.imag)])


def cat(*arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


def cm(x):
    return x[:4].reshape(2, 2) + 1j * x[4:8].reshape(2, 2)


def tall(x):
    return x.reshape(4, 3)


def wide(x):
    return x.reshape(3, 4)


def sym(q):
    return q @ q.T + np.eye(len(q))
